#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "assess/assess.h"
#include "base/result.h"
#include "study/study.h"

namespace trimtab {

/// The inputs of a run that its result.json names, and how long it took.
struct AssessRun {
  std::string model;
  std::string data;
  std::int64_t test_samples = 0;
  double wall_s = 0;
  std::vector<std::string> warnings{};
  std::string command_line{};  ///< that made it, or empty
};

/// "5000+10000:4", as `--rounds` takes it.
[[nodiscard]] std::string to_string(const AssessRound& round);

/// The file with the deployable plan of a budget.
[[nodiscard]] std::string plan_name(const AssessBudget& budget);

/// result.json as docs/assess.md documents it, and a summary for people. `plans` has one plan for each budget.
[[nodiscard]] Result describe(const AssessRun& run, const AssessOptions& options, const AssessResult& result,
                              const std::vector<DeployablePlan>& plans, const Study& study);

/// Draws the map and the optima layer by layer, and writes the plans, summary.txt, result.json and report.html to the
/// folder.
void write_result(const Result& described, const AssessRun& run, const AssessResult& result,
                  const std::vector<DeployablePlan>& plans, const Graph& prepared,
                  const std::vector<double>& importance, const std::filesystem::path& folder);

}  // namespace trimtab
