#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "program/program.h"

namespace trimtab {

/// Scratch memory comes in multiples of 8 bytes.
[[nodiscard]] constexpr std::int64_t aligned(std::int64_t bytes) { return (bytes + 7) / 8 * 8; }

/// Instruction sets that have kernels of their own.
enum class Core {
  host,        ///< the machine this runs on
  generic,     ///< any core with a C++ compiler
  cortex_m0,   ///< Armv6-M: M0, M0+
  cortex_m3,   ///< Armv7-M without DSP
  cortex_m4,   ///< Armv7E-M and Armv8-M with DSP extension: M4, M7, M33
  cortex_m55,  ///< Armv8.1-M with MVE (Helium)
  cortex_a15,  ///< Armv7-A with NEON: A7, A15
  cortex_a53,  ///< Armv8-A in its 64-bit state, with NEON: A53, A72
  cortex_a76,  ///< Armv8.2-A in its 64-bit state, with the dot product: A55, A76
  rv32imc      ///< RISC-V of 32 bits with multiplication: ESP32-C3
};

enum class Optimize { speed, size };

/// How a convolution kernel wants its weights packed; see pack.h.
struct WeightLayout {
  enum class Kind {
    none,              ///< it has none
    filters,           ///< weights.h, every filter from a byte on
    dense_filters,     ///< weights.h, filters without gaps
    columns,           ///< convolution_columns_dsp.h; parameter: filters that are decoded at a time
    depthwise_fours,   ///< depthwise_1x4_dsp.h; parameter: output rows of a band
    depthwise_words,   ///< depthwise_words_dsp.h
    depthwise_eights,  ///< depthwise_3x3_rows_mve.h
    pairs,             ///< convolution_s32_4x2_m3.h; parameter: padded size of a filter
    chunk_pairs,       ///< convolution_8_4x2_mve.h, read where they lie
    lanes,             ///< convolution_8_4x2_mve.h, unpacked before use
    panels,            ///< filter_panels.h; parameter: filters of a block
    depthwise_blocks,  ///< depthwise_8_neon.h; parameter: channels of a block
    depthwise_rows,    ///< depthwise_8_dot.h
    winograd_panels,   ///< convolution_winograd_neon.h
    host_blocks,       ///< convolution_s16_4x16_avx2.h
    host_depthwise     ///< depthwise_s16_1x16_avx2.h
  };
  Kind kind = Kind::none;
  std::int32_t parameter = 0;

  bool operator==(const WeightLayout&) const = default;
};

/// The kernel that runs a step: the function `trimtab::runtime::NAME` in the header `trimtab/HEADER`, called as
///     NAME(step, strip, input, output, scratch)          Convolution
///     NAME(step, strip, input, output)                   MaxPool, AveragePool, Lookup, Rescale, Movement
///     NAME(step, strip, a, b, output)                    Addition, Multiplication
/// with the rows of each value (runtime/trimtab/rows.h).
struct Kernel {
  std::string name;
  std::string header;
  std::int64_t scratch_bytes = 0;  ///< that it was chosen for, aligned to 8 bytes
  WeightLayout layout;             ///< how it wants its weights (convolutions)
  bool in_place = false;           ///< its output may lie where its first input lies, row for row
  bool reads_before_writing =
      false;                ///< it has read all input rows of a strip before it writes the first of its output
  bool whole_maps = false;  ///< it makes all rows at once, from rows and to rows that lie densely
  /// Its output may overlap its first input (where that is not needed any more) if the output begins at least so many
  /// bytes before the input: it is written no faster than the input is read for the last time. 0 is in place.
  std::optional<std::int64_t> overlap_lead_bytes;
  std::string reason;  ///< why this one, for --explain
};

/// The one place where a kernel is chosen for a step. A kernel that is faster with more scratch memory than the least
/// it can run with takes what helps it, up to `scratch_limit` bytes: so a planner asks first without a limit's room,
/// plans the arena, and then asks again with the room that the step leaves in the arena. `strip_rows`: rows of the
/// output that are made at a time, if not all.
[[nodiscard]] Kernel choose_kernel(const Step& step, Core core, Optimize optimize, std::int64_t scratch_limit = 0,
                                   std::int32_t strip_rows = INT32_MAX);

}  // namespace trimtab
