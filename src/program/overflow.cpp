#include "program/overflow.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace trimtab {

std::vector<std::int64_t> largest_sums(const ConvolutionStep& step, int weight_bits, std::int64_t largest_input) {
  for (const std::int16_t value : step.padding_value) {
    largest_input = std::max<std::int64_t>(largest_input, std::abs(value));
  }
  const auto filters = static_cast<std::size_t>(step.convolution.output.channels);
  const std::size_t size = step.weights.size() / filters;
  std::vector<std::int64_t> sums(filters);
  for (std::size_t i = 0; i < size * filters; ++i) {
    sums[i / size] += std::abs(integer_weight(step, i, weight_bits)) * largest_input;
  }
  return sums;
}

std::int64_t largest_accumulator(std::int64_t largest_sum, int dropped, std::int32_t bias) {
  const std::int64_t rounded = dropped == 0 ? largest_sum : (largest_sum >> dropped) + 1;
  return rounded + std::abs(std::int64_t{bias});
}

std::int64_t largest_addition(std::int64_t multiplier_a, std::int64_t multiplier_b, int shift, std::int64_t largest_a,
                              std::int64_t largest_b) {
  return largest_a * std::abs(multiplier_a) + largest_b * std::abs(multiplier_b) + (std::int64_t{1} << shift);
}

bool fits_after_shift(std::int64_t largest, int shift) {
  return shift >= 0 && shift <= 30 && largest <= std::numeric_limits<std::int32_t>::max() >> shift;
}

}  // namespace trimtab
