#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace trimtab {

/// The scalable-precision MACs of hardware/rtl.
enum class MacArchitecture { serial, sum_together };

/// "serial", "sum-together".
[[nodiscard]] std::string name_of(MacArchitecture architecture);
/// Name of the top module: "serial_mac", "sum_together_mac".
[[nodiscard]] std::string module_of(MacArchitecture architecture);

struct MacPrecision {
  int weight_bits = 8;      ///< 2..6 or 8
  int activation_bits = 8;  ///< 2, 4, 6 or 8
  bool signed_activation = false;

  [[nodiscard]] int weight_digits() const { return (weight_bits + 1) / 2; }
  [[nodiscard]] int activation_digits() const { return activation_bits / 2; }
};

/// A stored weight q on the nested mid-rise grid and an activation of activation_bits.
struct MacOperand {
  std::int8_t weight = 0;
  std::int16_t activation = 0;
};

/// The definition of one multiply-accumulate. It adds to the accumulator the upper `bits` of the stored weight q, on
/// the nested mid-rise grid (2 q_b + 1) / 2, times the activation x, all times 2 to stay whole.
[[nodiscard]] constexpr std::int32_t nested_product(std::int8_t q, int bits, std::int32_t x) {
  const std::int32_t truncated = q >> (8 - bits);
  return 2 * truncated * x + x;
}

/// Inputs of the MACs for one clock, as their ports are named; 16 lanes of 2 bits are a word.
struct SerialInputs {
  bool start = false;
  bool first_activation = false;
  bool last_activation = false;
  bool first_weight = false;
  bool last_weight = false;
  std::uint32_t weight = 0;
  std::uint32_t activation = 0;
};
struct SumTogetherInputs {
  bool start = false;
  std::array<std::uint32_t, 16> weight{};
  std::array<std::uint32_t, 16> activation{};
};

/// Multiply-accumulates that are started together: 16, or in the sum-together array 16 for each group that fits.
[[nodiscard]] int macs_per_group(MacArchitecture architecture, const MacPrecision& precision);

/// The clocks of one group of the digit-serial MAC: weight_digits() * activation_digits(). `operands` holds 16.
[[nodiscard]] std::vector<SerialInputs> serial_group(const MacPrecision& precision,
                                                     std::span<const MacOperand> operands, bool start);

/// The one clock of a group of the sum-together array. `operands` holds macs_per_group.
[[nodiscard]] SumTogetherInputs sum_together_group(const MacPrecision& precision, std::span<const MacOperand> operands,
                                                   bool start);

/// Clocks from a group's last inputs to the accumulator that holds it, both included.
[[nodiscard]] int latency_clocks(MacArchitecture architecture);

}  // namespace trimtab
