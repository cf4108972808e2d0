#include "program/fixed_point.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace trimtab {

FixedPoint to_fixed_point(std::span<const double> factors, const std::string& where) {
  double largest = 0;
  for (const double factor : factors) {
    if (!std::isfinite(factor)) throw bad_input("layer '{}' has a scale that is not finite", where);
    largest = std::max(largest, std::abs(factor));
  }
  FixedPoint result;
  while (largest * std::exp2(32 - result.shift) > 2147483647.0) ++result.shift;
  if (result.shift > 16) throw bad_input("layer '{}' needs a rescaling by {}, which is beyond 2^15", where, largest);
  for (const double factor : factors) {
    result.multiplier.push_back(static_cast<std::int32_t>(std::llround(factor * std::exp2(32 - result.shift))));
  }
  return result;
}

}  // namespace trimtab
