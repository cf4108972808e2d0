#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "data/dataset.h"
#include "learn/train.h"

namespace trimtab {

/// The inputs of a training that its result.json names.
struct TrainRun {
  std::string network;  ///< a built-in network's name or a file
  std::string data;
  std::int64_t train_samples = 0;
  std::uint64_t seed = 1;
};

/// result.json as docs/train.md documents it. `settings` come from training_settings().
[[nodiscard]] nlohmann::ordered_json to_json(const TrainRun& run, const nlohmann::json& settings,
                                             const Preprocessing& preprocessing, const Task& task,
                                             const TrainResult& result);

/// One line for people about a result.json; `model` is the file with the trained network.
[[nodiscard]] std::string summarize_training(const nlohmann::ordered_json& result, const std::string& model);

}  // namespace trimtab
