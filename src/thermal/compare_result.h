#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "thermal/compare.h"
#include "thermal/kernel_governor.h"

namespace trimtab::thermal {

/// result.json of `trimtab sustain simulate` as docs/sustain.md documents it, and a table for people.
[[nodiscard]] Result describe(const std::vector<PolicyResult>& results, const Soc& soc, const Cluster& cluster,
                              const Variant& variant, const CompareOptions& options);

/// Adds how much the proactive policies gain over reactive policies of every drop and hysteresis: where a published
/// gain lands.
void add_reactive_grid(Result& result, const Soc& soc, const Cluster& cluster, const std::vector<ThermalPoint>& points,
                       const std::vector<PolicyResult>& results, const CompareOptions& options);

/// The decisions of a kernel's governor beside those of its model.
[[nodiscard]] Result describe(const Replay& replay);

/// All samples of all policies as CSV.
[[nodiscard]] std::string trace_csv(const std::vector<PolicyResult>& results);

/// Draws temperature (mean, and the range in which it swings) and mean frequency of at most five policies over windows
/// of time.
void draw_policies(const std::filesystem::path& path, const std::vector<PolicyResult>& results,
                   const SimulationOptions& options);

}  // namespace trimtab::thermal
