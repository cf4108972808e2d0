#include "target/mac_stimulus.h"

namespace trimtab {
namespace {

constexpr int lanes = 16;

/// Bits of a weight's digit, most significant digit first. The low bit of an odd number's last digit is not read.
std::uint32_t weight_digit(std::int8_t weight, int digit) {
  return static_cast<std::uint32_t>(static_cast<std::uint8_t>(weight)) >> static_cast<unsigned>(6 - 2 * digit) & 3U;
}

std::uint32_t activation_digit(std::int16_t activation, int digit, const MacPrecision& precision) {
  const int shift = 2 * (precision.activation_digits() - 1 - digit);
  return static_cast<std::uint32_t>(static_cast<std::uint16_t>(activation)) >> static_cast<unsigned>(shift) & 3U;
}

std::uint32_t weight_word(std::span<const MacOperand> operands, int digit) {
  std::uint32_t word = 0;
  for (std::size_t lane = 0; lane < lanes; ++lane) word |= weight_digit(operands[lane].weight, digit) << 2 * lane;
  return word;
}

std::uint32_t activation_word(std::span<const MacOperand> operands, int digit, const MacPrecision& precision) {
  std::uint32_t word = 0;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    word |= activation_digit(operands[lane].activation, digit, precision) << 2 * lane;
  }
  return word;
}

/// Of the four times four words of an operand.
std::size_t place(int major, int minor) {
  const int index = 4 * major + minor;
  return static_cast<std::size_t>(index);
}

}  // namespace

std::string name_of(MacArchitecture architecture) {
  return architecture == MacArchitecture::serial ? "serial" : "sum-together";
}

std::string module_of(MacArchitecture architecture) {
  return architecture == MacArchitecture::serial ? "serial_mac" : "sum_together_mac";
}

int macs_per_group(MacArchitecture architecture, const MacPrecision& precision) {
  if (architecture == MacArchitecture::serial) return lanes;
  return lanes * (4 / precision.weight_digits()) * (4 / precision.activation_digits());
}

std::vector<SerialInputs> serial_group(const MacPrecision& precision, std::span<const MacOperand> operands,
                                       bool start) {
  std::vector<SerialInputs> clocks;
  for (int j = 0; j < precision.weight_digits(); ++j) {
    for (int k = 0; k < precision.activation_digits(); ++k) {
      SerialInputs inputs;
      inputs.start = start;
      inputs.first_activation = k == 0;
      inputs.last_activation = k + 1 == precision.activation_digits();
      inputs.first_weight = j == 0;
      inputs.last_weight = j + 1 == precision.weight_digits();
      inputs.weight = weight_word(operands, j);
      inputs.activation = activation_word(operands, k, precision);
      clocks.push_back(inputs);
    }
  }
  return clocks;
}

SumTogetherInputs sum_together_group(const MacPrecision& precision, std::span<const MacOperand> operands, bool start) {
  SumTogetherInputs inputs;
  inputs.start = start;
  const int m = precision.weight_digits();
  const int n = precision.activation_digits();
  std::size_t group = 0;
  for (int row = 0; row + m <= 4; row += m) {
    for (int column = 0; column + n <= 4; column += n, ++group) {
      const auto own = operands.subspan(group * lanes, lanes);
      for (int j = 0; j < m; ++j) inputs.weight[place(row + j, column)] = weight_word(own, j);
      for (int k = 0; k < n; ++k) inputs.activation[place(column + k, row)] = activation_word(own, k, precision);
    }
  }
  return inputs;
}

int latency_clocks(MacArchitecture architecture) { return architecture == MacArchitecture::serial ? 5 : 4; }

}  // namespace trimtab
