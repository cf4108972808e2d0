#pragma once

#include <cstdint>
#include <vector>

#include "program/program.h"

namespace trimtab {

// How large the 32-bit sums of a program can become: what lowering chooses shifts by, and what the check of a program
// from outside holds it to.

/// By output channel of a convolution at `weight_bits` bits: the largest magnitude of its sum of products, bias apart,
/// for inputs (and padding) of at most `largest_input`. O(weights).
[[nodiscard]] std::vector<std::int64_t> largest_sums(const ConvolutionStep& step, int weight_bits,
                                                     std::int64_t largest_input);

/// The largest magnitude of an accumulator with that sum, from which `dropped` low bits are rounded off, and that bias.
[[nodiscard]] std::int64_t largest_accumulator(std::int64_t largest_sum, int dropped, std::int32_t bias);

/// The largest magnitude of the sum in runtime::Addition before its shift, with one unit of the output to spare for its
/// rounding.
[[nodiscard]] std::int64_t largest_addition(std::int64_t multiplier_a, std::int64_t multiplier_b, int shift,
                                            std::int64_t largest_a, std::int64_t largest_b);

/// Whether Winograd's F(tile_rows,k), 2 or 4 rows and k = 3, or 4 rows and k = 5, gives the sums of a convolution with
/// weights of `weight_bits` bits (one of its operating points) exactly, whatever its input is: all transformed numbers
/// fit 16 bits, and no sum is beyond what the last division can tell apart modulo 2^32
/// (runtime/trimtab/winograd_tiles.h, which must take the convolution). O(weights).
[[nodiscard]] bool winograd_is_exact(const ConvolutionStep& step, int weight_bits, int tile_rows);

/// The same of F(4x4,3x3) (runtime/trimtab/winograd_4x4_tiles.h, which must take the convolution).
[[nodiscard]] bool winograd_4x4_is_exact(const ConvolutionStep& step, int weight_bits);

/// Whether a value of that magnitude stays within 32 bits when it is shifted left.
[[nodiscard]] bool fits_after_shift(std::int64_t largest, int shift);

}  // namespace trimtab
