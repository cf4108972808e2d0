#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "program/scalable_program.h"
#include "program/schedule.h"
#include "trimtab/operating_points.h"

namespace trimtab {

/// Writes a scalable program for the device as write_sources() does, with all its operating points: their biases and
/// shifts in flash, descriptors that change in RAM, and in NAME.h
///   int NAME_set_operating_point(int point)   takes effect at the next run; -1 where there is no such point
///   int NAME_choose_operating_point(int level, int energy_nj, int accuracy_floor)
///                                             runtime/trimtab/operating_points.h
/// `schedule` is schedule_point's for a core other than the host; `summaries` has entries for every point, one for each
/// level.
void write_scalable_sources(const ScalableProgram& scalable, const Schedule& schedule,
                            const std::vector<runtime::PointSummary>& summaries, const std::string& name,
                            const std::filesystem::path& share, const std::filesystem::path& folder);

}  // namespace trimtab
