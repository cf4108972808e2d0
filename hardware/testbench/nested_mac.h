#pragma once

#include <cstdint>

namespace trimtab::hardware {

/// What one multiply-accumulate of a scalable-precision MAC adds to its accumulator: the upper `bits` of the stored
/// 8-bit weight q, on the nested mid-rise grid (2q_b + 1) / 2, times the activation x; twice that, to stay whole.
inline std::int32_t nested_product(std::int8_t q, int bits, std::int32_t x) {
  const std::int32_t truncated = q >> (8 - bits);
  return 2 * truncated * x + x;
}

}  // namespace trimtab::hardware
