#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assess/assess.h"
#include "cli/common.h"
#include "cli/surroundings.h"

namespace trimtab::cli {

/// The arguments of `trimtab assess`.
struct AssessCommand {
  CommonOptions common;
  std::string model;
  ModelChoice choice;
  std::string data;
  std::string preprocessing;
  std::vector<std::string> budgets = {"33KB", "49KB", "66KB", "82KB", "98KB", "115KB", "245KB"};
  std::string bits = "2-16";
  std::vector<std::string> rules = {"uniform", "importance"};
  std::vector<std::string> rounds = {"5000+5000", "20000+20000:6", "150000+150000:2"};
  std::int64_t limit = 0;
  TaskWords task;
  int threads_per_trial = 1;
  bool no_distillation = false;
  bool retry_failed = false;
  std::string target = "stm32f412";
  std::string out;
  AssessOptions options;
};

/// Needs libtorch: see learning.h.
[[nodiscard]] Result run_assess(AssessCommand& command, const Surroundings& around);

}  // namespace trimtab::cli
