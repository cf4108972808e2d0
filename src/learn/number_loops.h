#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp. What loops over a tensor's numbers
// share, in single precision or bfloat16.

#include <torch/utils.h>

#include <cstdint>
#include <cstring>

// Such loops are bound by memory once they use wide vectors; GCC makes a version for each instruction set.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define TRIMTAB_WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define TRIMTAB_WIDE_VECTORS
#endif

namespace trimtab {

inline float number(float x) { return x; }
inline float number(c10::BFloat16 x) { return c10::detail::f32_from_bits(x.x); }
inline void put(float value, float& to) { to = value; }
/// Rounds to the nearest; for finite values, without the check for others that would keep loops from using vectors.
inline void put(float value, c10::BFloat16& to) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  to.x = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16U & 1U)) >> 16U);
}

/// Calls `function` with a 0 of the tensor's type: single precision or bfloat16.
template <typename Function>
void with_numbers_of(const torch::Tensor& tensor, const Function& function) {
  if (tensor.scalar_type() == torch::kBFloat16) {
    function(c10::BFloat16());
  } else {
    function(0.0F);
  }
}

}  // namespace trimtab
