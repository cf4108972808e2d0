#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "fit/fit.h"

namespace trimtab {

/// The inputs of a run that its result.json names, and how long it took.
struct FitRun {
  std::string model;
  std::string data;
  double wall_s = 0;
  std::string command_line{};  ///< that made it, or empty
};

/// result.json as docs/fit.md documents it, and a summary for people.
[[nodiscard]] Result describe(const FitRun& run, const FitOptions& options, const FitResult& result);

/// Writes plan.toml, program.bin, float.onnx, details.json, summary.txt, result.json and report.html to the folder, and
/// completes `device`, which is there where fit() was given folder/device.
void write_result(const Result& described, const FitRun& run, const FitOptions& options, const FitResult& result,
                  const std::filesystem::path& folder);

}  // namespace trimtab
