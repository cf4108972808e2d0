#pragma once

#include <string>

#include "cli/common.h"
#include "cli/surroundings.h"
#include "data/dataset.h"
#include "learn/train.h"

namespace trimtab::cli {

/// The arguments of `trimtab train`.
struct TrainCommand {
  CommonOptions common;
  std::string net;
  std::string model;
  ModelChoice choice;
  std::string data;
  std::string test_data;
  std::string preprocessing = "auto";
  std::string crop = "auto";
  std::string flip = "auto";
  std::string fill = "mean";
  std::string teacher;
  std::string shape;
  TaskWords task;
  std::string out;
  DataOptions source;
  TrainOptions training;
};

/// Needs libtorch: see learning.h.
[[nodiscard]] Result run_train(TrainCommand& command, const Surroundings& around);

}  // namespace trimtab::cli
