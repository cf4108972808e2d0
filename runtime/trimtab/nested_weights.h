#pragma once

// Weights on the nested mid-rise grid. Every weight is stored as 8 bits q, signed; at b bits it is the odd integer
// 2 * (q >> (8 - b)) + 1, so that one copy of the weights serves all precisions. A sum of products is therefore
//     2 * sum of (q >> (8 - b)) * x + sum of x,
// and kernels add the sum of a window's activations to what they multiply.

#include "trimtab/arithmetic.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// The stored weight at `bits` bits, less its half step.
constexpr int32_t nested_digits(int8_t stored, int bits) { return stored >> (8 - bits); }

/// The weight at `bits` bits, in half steps.
constexpr int32_t nested_weight(int8_t stored, int bits) { return 2 * nested_digits(stored, bits) + 1; }

/// The bits of stored weights that count at `bits` bits, in all four bytes of a word: masking a word with it leaves
/// nested_digits() times 2^(8 - bits).
constexpr uint32_t nested_mask(int bits) { return 0x01010101U * ((0xffU << (8 - bits)) & 0xffU); }

/// The largest filter for activations of 8 bits whose sums of masked products stay within 32 bits.
constexpr int32_t nested_most_inputs = INT32_MAX / (128 * 255);

/// A set of bit-widths, for kernels that have a loop of their own for each: bit b stands for b bits.
constexpr unsigned all_bit_widths = 0x1fc;
constexpr bool has_bit_width(unsigned widths, int bits) { return (widths >> bits & 1U) != 0; }

}  // namespace trimtab::TRIMTAB_RUNTIME
