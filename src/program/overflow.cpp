#include "program/overflow.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "base/index.h"
#include "trimtab/winograd_tiles.h"

namespace trimtab {
namespace {

/// What the points of F(2,3) and F(4,3) multiply rows of inputs and of weights by.
constexpr int point_inputs_2[4][6] = {{1, 0, -1}, {0, 1, 1}, {0, -1, 1}, {0, 1, 0, -1}};
constexpr int point_inputs_4[6][6] = {{4, 0, -5, 0, 1},  {0, -4, -4, 1, 1}, {0, 4, -4, -1, 1},
                                      {0, -2, -1, 2, 1}, {0, 2, -1, -2, 1}, {0, 4, 0, -5, 0, 1}};
constexpr int point_weights_2[4][3] = {{1}, {1, 1, 1}, {1, -1, 1}, {0, 0, 1}};
constexpr int point_weights_4[6][3] = {{1}, {1, 1, 1}, {1, -1, 1}, {1, 2, 4}, {1, -2, 4}, {0, 0, 1}};

bool fits_16_bits(std::int64_t value) {
  return value >= std::numeric_limits<std::int16_t>::min() && value <= std::numeric_limits<std::int16_t>::max();
}

/// Whether combinations of numbers of that range fit 16 bits.
bool combinations_fit(std::span<const int[6]> points, const ActivationGrid& grid) {
  return std::ranges::all_of(points, [&](const auto& factors) {
    std::int64_t least = 0;
    std::int64_t most = 0;
    for (const int factor : factors) {
      least += std::int64_t{factor} * (factor > 0 ? grid.minimum() : grid.maximum());
      most += std::int64_t{factor} * (factor > 0 ? grid.maximum() : grid.minimum());
    }
    return fits_16_bits(least) && fits_16_bits(most);
  });
}

/// The same of a kernel column's weights.
bool combinations_fit(std::span<const int[3]> points, const std::array<std::int32_t, 3>& column) {
  return std::ranges::all_of(points, [&](const auto& factors) {
    return fits_16_bits(std::int64_t{factors[0]} * column[0] + std::int64_t{factors[1]} * column[1] +
                        std::int64_t{factors[2]} * column[2]);
  });
}

}  // namespace

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

bool winograd_is_exact(const ConvolutionStep& step, int weight_bits, int tile_rows) {
  const runtime::Convolution& c = step.convolution;
  const ActivationGrid grid{1, c.input.format.bits, c.input.format.is_signed};
  if (!(tile_rows == 2 ? combinations_fit(point_inputs_2, grid) : combinations_fit(point_inputs_4, grid))) return false;
  // nested weights of fewer bits are multiplied as the stored bytes are
  const std::int32_t factor = step.weight_code == WeightCode::nested ? 1 << (8 - weight_bits) : 1;
  const std::size_t row = static_cast<std::size_t>(c.window.kernel_width) * static_cast<std::size_t>(c.input.channels);
  for (std::size_t first = 0; first < step.weights.size(); first += 3 * row) {
    for (std::size_t i = first; i < first + row; ++i) {
      const auto weight = [&](std::size_t at) { return factor * integer_weight(step, at, weight_bits); };
      const std::array column{weight(i), weight(i + row), weight(i + 2 * row)};
      if (!(tile_rows == 2 ? combinations_fit(point_weights_2, column) : combinations_fit(point_weights_4, column)))
        return false;
    }
  }
  const std::int64_t largest_input = std::max(std::abs(grid.minimum()), std::abs(grid.maximum()));
  const std::vector<std::int64_t> sums = largest_sums(step, weight_bits, largest_input);
  return std::ranges::all_of(
      sums, [&](std::int64_t sum) { return factor * sum <= runtime::winograd_largest_sum(tile_rows); });
}

bool fits_after_shift(std::int64_t largest, int shift) {
  return shift >= 0 && shift <= 30 && largest <= std::numeric_limits<std::int32_t>::max() >> shift;
}

}  // namespace trimtab
