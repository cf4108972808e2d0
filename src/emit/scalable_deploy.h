#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "emit/elf.h"
#include "program/scalable_program.h"
#include "target/target.h"
#include "trimtab/operating_points.h"

namespace trimtab {

/// What was measured of a scalable program in the emulator.
struct ScalableDeployment {
  ImageSize image;
  std::int64_t samples = 0;
  std::int64_t mismatches = 0;  ///< outputs (numbers), over all points and samples, that differ from the host's
  std::int64_t point_bytes = 0;
  std::vector<std::int64_t> instructions;  ///< by point: of one inference, the most over the samples
  std::int64_t switch_instructions = 0;    ///< the most that a run after a change of point took more than the next
};

/// Writes the sources into `folder`, builds an image and runs it in the emulator at every point on the samples,
/// changing the point between them, and compares every number with this machine's. Throws what build_firmware() and
/// run_image() throw.
[[nodiscard]] ScalableDeployment deploy_scalable(const ScalableProgram& scalable, const Target& target,
                                                 const std::vector<runtime::PointSummary>& summaries,
                                                 const std::string& name, const Dataset& samples,
                                                 const std::filesystem::path& folder);

}  // namespace trimtab
