#pragma once

// Products and bytes for cores that multiply words and have no multiply-accumulate, no flags and no saturation
// (RV32IM).

#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

/// sum += a * b modulo 2^32. On RISC-V GCC must not see the two instructions apart: it would add products to each other
/// first and spill the sums.
inline void add_product(uint32_t& sum, uint32_t a, uint32_t b) {
#if defined(__riscv)
  uint32_t product;
  asm("mul %0, %2, %3\n\tadd %1, %1, %0" : "=&r"(product), "+r"(sum) : "r"(a), "r"(b));
#else
  sum += a * b;
#endif
}

/// Whether a layer's outputs are bytes from 0 on around 0, without a shift: three instructions less for each.
inline bool has_plain_bytes(const Convolution& step) {
  return step.shift == 0 && step.output_minimum == 0 && step.output_zero == 0;
}

/// From sums of products of a channel to bytes, as requantize_around() says. `Plain`: has_plain_bytes().
template <bool Plain>
class ByteScale {
 public:
  ByteScale(const Convolution& step, int32_t channel)
      : bias_(static_cast<uint32_t>(step.bias[channel])),
        multiplier_(step.multiplier[channel]),
        shift_(step.shift),
        least_(step.output_minimum),
        span_(step.output_maximum - step.output_minimum),
        zero_(step.output_zero - step.output_minimum) {}

  [[nodiscard]] uint32_t bias() const { return bias_; }

  /// The sum contains the bias.
  uint8_t operator()(uint32_t sum) const {
    int32_t value = multiply_high_rounded(static_cast<int32_t>(Plain ? sum : sum << shift_), multiplier_);
    if constexpr (!Plain) value += zero_;
    if (static_cast<uint32_t>(value) > static_cast<uint32_t>(span_)) value = ~(value >> 31) & span_;
    return static_cast<uint8_t>(Plain ? value : value + least_);
  }

 private:
  uint32_t bias_;
  int32_t multiplier_, shift_, least_, span_, zero_;
};

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
