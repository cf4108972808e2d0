#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "program/program.h"

namespace trimtab {

/// Instruction sets that have kernels of their own.
enum class Core {
  host,       ///< the machine this runs on
  generic,    ///< any core with a C++ compiler
  cortex_m0,  ///< Armv6-M: M0, M0+
  cortex_m3,  ///< Armv7-M without DSP
  cortex_m4,  ///< Armv7E-M and Armv8-M with DSP extension: M4, M7, M33
  cortex_m55  ///< Armv8.1-M with MVE (Helium)
};

enum class Optimize { speed, size };

/// The kernel that runs a step: the function `trimtab::runtime::NAME` in the header `trimtab/HEADER`, called as
///     NAME(step, input, output, scratch)                 Convolution
///     NAME(step, input, output)                          MaxPool, AveragePool, Lookup, Rescale
///     NAME(step, a, b, output)                           Addition, Multiplication
struct Kernel {
  std::string name;
  std::string header;
  std::int64_t scratch_bytes = 0;     ///< the least it can run with, aligned to 8 bytes
  std::vector<std::uint8_t> weights;  ///< packed as it wants them (convolutions)
  bool in_place = false;              ///< its output may lie where its first input lies
  /// Its output may overlap its first input (where that is not needed any more) if the output begins at least so many
  /// bytes before the input: it is written no faster than the input is read for the last time. 0 is in place.
  std::optional<std::int64_t> overlap_lead_bytes;
  /// Of a convolution: not 0 where it runs together with the pool of the next step, so many of the pool's rows at a
  /// time (runtime/trimtab/pooled_convolution.h). Its scratch memory then begins with the band. The schedule decides
  /// that.
  std::int32_t pooled_rows = 0;
  std::string reason;  ///< why this one, for --explain
};

/// The one place where a kernel is chosen for a step. A kernel that is faster with more scratch memory than the least
/// it can run with takes what helps it, up to `scratch_limit` bytes: so a planner asks first without a limit's room,
/// plans the arena, and then asks again with the room that the step leaves in the arena.
[[nodiscard]] Kernel choose_kernel(const Step& step, Core core, Optimize optimize, std::int64_t scratch_limit = 0);

}  // namespace trimtab
