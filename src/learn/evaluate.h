#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "data/dataset.h"
#include "graph/graph.h"
#include "measure/score.h"

namespace trimtab {

struct EvaluateOptions {
  std::int64_t batch_size = 256;
  int threads = 0;              ///< 0: all cores
  std::string device = "auto";  ///< "cpu", "cuda", "cuda:1"; "auto": CUDA where there is one
  std::optional<Task> task{};   ///< nothing: the one that follows from network and data
  /// Given the outputs (of classes: the logits), channels first, batch after batch; may be empty.
  std::function<void(std::span<const float> outputs)> observe{};
};

/// Measures the network, in float, on all samples. Throws Error (bad input) where the samples do not fit its input or
/// their answers its output.
[[nodiscard]] Score evaluate(const Graph& graph, const Dataset& data, const Preprocessing& preprocessing,
                             const EvaluateOptions& options);

}  // namespace trimtab
