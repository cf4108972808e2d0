#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/surroundings.h"
#include "data/dataset.h"
#include "scale/scale.h"

namespace trimtab::cli {

/// The arguments of `trimtab scale`.
struct ScaleCommand {
  CommonOptions common;
  std::string model;
  ModelChoice choice;
  std::string data;
  std::string tune_data;
  std::string train_data;
  std::string taxonomy;
  std::vector<std::int64_t> sizes{500, 120, 30, 15, 2};
  std::string preprocessing;
  std::string accelerator = "bitblade";
  std::string weight_memory;
  std::string activation_memory;
  std::string rounding;
  std::string target;  ///< microcontroller; empty: none
  std::string optimize = "speed";
  std::string flash;
  std::string ram;
  std::int64_t epochs = 0;
  std::int64_t train_limit = 0;
  std::int64_t tune_limit = 0;
  std::vector<std::string> uniform;
  std::string train_precision;
  std::string teacher;  ///< empty: the model
  std::string out;
  DataOptions source;
  TaskWords task;
  ScaleOptions options;
};

/// Needs libtorch: see learning.h.
[[nodiscard]] Result run_scale(ScaleCommand& command, const Surroundings& around);

}  // namespace trimtab::cli
