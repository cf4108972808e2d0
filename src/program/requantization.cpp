#include "program/requantization.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace trimtab {
namespace {

constexpr double largest_integer = std::numeric_limits<std::int32_t>::max();
constexpr int largest_shift = 16;  ///< of the point with the smallest factors

}  // namespace

int growth_of(std::span<const std::vector<double>> factors, std::size_t point, const std::string& layer) {
  const std::vector<double>& first = factors[0];
  const std::vector<double>& own = factors[point];
  int growth = 0;
  for (std::size_t c = 0; c < first.size(); ++c) {
    if (first[c] == 0) continue;
    growth = static_cast<int>(std::lround(std::log2(std::abs(own[c] / first[c]))));
    break;
  }
  for (std::size_t c = 0; c < first.size(); ++c) {
    if (std::ldexp(first[c], growth) != own[c]) {
      throw failure("the scales of layer '{}' differ between operating points by more than a power of two", layer);
    }
  }
  return growth;
}

Requantization requantization_of(std::span<const std::vector<double>> factors, const std::string& layer) {
  double largest = 0;
  for (const double factor : factors[0]) {
    if (!std::isfinite(factor)) throw bad_input("layer '{}' has a scale that is not finite", layer);
    largest = std::max(largest, std::abs(factor));
  }
  std::vector<int> growths;
  for (std::size_t k = 0; k < factors.size(); ++k) growths.push_back(growth_of(factors, k, layer));
  const int least = *std::min_element(growths.begin(), growths.end());
  const double least_largest = std::ldexp(largest, least);
  int shift = 0;
  while (std::ldexp(least_largest, 32 - shift) > largest_integer) ++shift;
  if (shift > largest_shift) {
    throw bad_input("layer '{}' needs a rescaling by {}, which is beyond 2^15", layer, least_largest);
  }
  Requantization result;
  for (const double factor : factors[0]) {
    result.multiplier.push_back(static_cast<std::int32_t>(std::llround(std::ldexp(factor, least + 32 - shift))));
  }
  for (const int growth : growths) result.shift.push_back(static_cast<std::uint8_t>(shift + growth - least));
  return result;
}

std::int32_t nearest_integer(double value, const std::string& layer) {
  const double rounded = std::floor(value + 0.5);
  if (!(std::abs(rounded) <= largest_integer)) {
    throw bad_input("layer '{}' has a bias of {} in units of its accumulator, which needs more than 32 bits", layer,
                    value);
  }
  return static_cast<std::int32_t>(rounded);
}

}  // namespace trimtab
