#include "program/overflow.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "base/index.h"
#include "trimtab/winograd_4x4_tiles.h"

namespace trimtab {
namespace {

/// What a point multiplies rows of inputs, and rows of weights, by.
struct PointFactors {
  std::array<int, 8> inputs;
  std::array<int, 5> weights;
};
constexpr PointFactors points_2_3[] = {
    {{1, 0, -1}, {1}}, {{0, 1, 1}, {1, 1, 1}}, {{0, -1, 1}, {1, -1, 1}}, {{0, 1, 0, -1}, {0, 0, 1}}};
constexpr PointFactors points_4_3[] = {{{4, 0, -5, 0, 1}, {1}},         {{0, -4, -4, 1, 1}, {1, 1, 1}},
                                       {{0, 4, -4, -1, 1}, {1, -1, 1}}, {{0, -2, -1, 2, 1}, {1, 2, 4}},
                                       {{0, 2, -1, -2, 1}, {1, -2, 4}}, {{0, 4, 0, -5, 0, 1}, {0, 0, 1}}};
constexpr PointFactors points_4_5[] = {{{-36, 0, 49, 0, -14, 0, 1}, {1}},
                                       {{0, 36, 36, -13, -13, 1, 1}, {1, 1, 1, 1, 1}},
                                       {{0, -36, 36, 13, -13, -1, 1}, {1, -1, 1, -1, 1}},
                                       {{0, 18, 9, -20, -10, 2, 1}, {1, 2, 4, 8, 16}},
                                       {{0, -18, 9, 20, -10, -2, 1}, {1, -2, 4, -8, 16}},
                                       {{0, 12, 4, -15, -5, 3, 1}, {1, 3, 9, 27, 81}},
                                       {{0, -12, 4, 15, -5, -3, 1}, {1, -3, 9, -27, 81}},
                                       {{0, -36, 0, 49, 0, -14, 0, 1}, {0, 0, 0, 0, 1}}};

bool fits_16_bits(std::int64_t value) {
  return value >= std::numeric_limits<std::int16_t>::min() && value <= std::numeric_limits<std::int16_t>::max();
}

/// Whether the transformed numbers of that range fit 16 bits.
bool inputs_fit(std::span<const PointFactors> points, const ActivationGrid& grid) {
  return std::ranges::all_of(points, [&](const PointFactors& factors) {
    std::int64_t least = 0;
    std::int64_t most = 0;
    for (const int factor : factors.inputs) {
      least += std::int64_t{factor} * (factor > 0 ? grid.minimum() : grid.maximum());
      most += std::int64_t{factor} * (factor > 0 ? grid.maximum() : grid.minimum());
    }
    return fits_16_bits(least) && fits_16_bits(most);
  });
}

/// Whether the transformed weights of a kernel column, which may be followed by zeros, fit 16 bits.
bool weights_fit(std::span<const PointFactors> points, const std::array<std::int32_t, 5>& column) {
  return std::ranges::all_of(points, [&](const PointFactors& factors) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < column.size(); ++i) sum += std::int64_t{factors.weights[i]} * column[i];
    return fits_16_bits(sum);
  });
}

/// Nested weights of fewer bits are multiplied as the stored bytes are.
std::int32_t weight_factor(const ConvolutionStep& step, int weight_bits) {
  return step.weight_code == WeightCode::nested ? 1 << (8 - weight_bits) : 1;
}

/// Whether no sum of products is beyond `limit`, whatever the input is.
bool sums_stay_within(const ConvolutionStep& step, int weight_bits, std::int64_t limit) {
  const runtime::Convolution& c = step.convolution;
  const ActivationGrid grid{1, c.input.format.bits, c.input.format.is_signed};
  const std::int64_t largest_input = std::max(std::abs(grid.minimum()), std::abs(grid.maximum()));
  return std::ranges::all_of(largest_sums(step, weight_bits, largest_input),
                             [&](std::int64_t sum) { return weight_factor(step, weight_bits) * sum <= limit; });
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
  const std::size_t kernel = static_cast<std::size_t>(c.window.kernel_height);
  const std::span<const PointFactors> points = kernel == 5      ? std::span<const PointFactors>(points_4_5)
                                               : tile_rows == 2 ? std::span<const PointFactors>(points_2_3)
                                                                : std::span<const PointFactors>(points_4_3);
  if (!inputs_fit(points, grid)) return false;
  const std::int32_t factor = weight_factor(step, weight_bits);
  const std::size_t row = static_cast<std::size_t>(c.window.kernel_width) * static_cast<std::size_t>(c.input.channels);
  for (std::size_t first = 0; first < step.weights.size(); first += kernel * row) {
    for (std::size_t i = first; i < first + row; ++i) {
      std::array<std::int32_t, 5> column{};
      for (std::size_t k = 0; k < kernel; ++k) column[k] = factor * integer_weight(step, i + k * row, weight_bits);
      if (!weights_fit(points, column)) return false;
    }
  }
  return sums_stay_within(step, weight_bits, runtime::winograd_largest_sum(c.window.kernel_height, tile_rows));
}

bool winograd_4x4_is_exact(const ConvolutionStep& step, int weight_bits) {
  // transformed numbers fit 16 bits whatever bytes they are made of
  return sums_stay_within(step, weight_bits, runtime::winograd_4x4_largest_sum);
}

bool fits_after_shift(std::int64_t largest, int shift) {
  return shift >= 0 && shift <= 30 && largest <= std::numeric_limits<std::int32_t>::max() >> shift;
}

}  // namespace trimtab
