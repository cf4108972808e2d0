#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "scale/scale.h"

namespace trimtab {

/// The inputs and settings of a run that its result.json names.
struct ScaleRun {
  std::string model;
  std::string data;
  std::int64_t epochs = 0;
  ScaleOptions options;
  std::uint64_t seed = 1;
  std::string command_line{};  ///< that made it, or empty
};

/// The content of result.json.
[[nodiscard]] nlohmann::ordered_json result_json(const ScaleRun& run, const ScaleResult& result, double seconds);

/// The content of details.json (docs/report.md); null where the program was not deployed.
[[nodiscard]] nlohmann::ordered_json details_json(const ScaleRun& run, const ScaleResult& result);

/// A table of the operating points, for people.
[[nodiscard]] std::string summary(const ScaleRun& run, const ScaleResult& result);

/// Draws accuracy over energy, one curve for each level.
void draw_levels(const ScaleResult& result, const std::filesystem::path& path);

}  // namespace trimtab
