#pragma once

namespace trimtab {

/// How the range of a grid is chosen from the numbers it has to hold.
enum class RangeMethod {
  min_max,     ///< nothing saturates
  percentile,  ///< a fixed share of the numbers does not saturate
  mse,         ///< least mean squared error of the quantized numbers
};

}  // namespace trimtab
