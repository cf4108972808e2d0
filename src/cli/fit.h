#pragma once

#include <cstdint>
#include <string>

#include "cli/common.h"
#include "cli/surroundings.h"
#include "data/dataset.h"
#include "fit/fit.h"

namespace trimtab::cli {

/// The arguments of `trimtab fit`.
struct FitCommand {
  CommonOptions common;
  std::string model;
  ModelChoice choice;
  std::string data;
  std::string train_data;
  std::string preprocessing;
  std::string target = "stm32f412";
  std::string flash;
  std::string ram;
  std::string plan;
  std::string calibration = "mse";
  std::string optimize = "speed";
  std::string input = "whole";
  std::string out;
  DataOptions source;
  TaskWords task;
  std::int64_t epochs = 0;
  std::string weight_bits;  ///< empty: 8, or auto in a search
  std::string activation_bits;
  std::string importance = "taylor";
  std::string teacher;
  std::string weights;
  std::string memory;
  std::string engine = "knapsack";
  bool search = false;
  int threads_per_trial = 1;
  FitSearchOptions search_options;
  FitOptions options;
};

/// Needs libtorch: see learning.h.
[[nodiscard]] Result run_fit(FitCommand& command, const Surroundings& around);

}  // namespace trimtab::cli
