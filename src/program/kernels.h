#pragma once

#include <cstdint>
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
  std::string reason;                 ///< why this one, for --explain
};

/// The one place where a kernel is chosen for a step.
[[nodiscard]] Kernel choose_kernel(const Step& step, Core core, Optimize optimize);

}  // namespace trimtab
