#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/markup.h"

namespace trimtab {

/// A part of a whole.
struct SharePart {
  std::string name;
  double value = 0;
  std::string text;  ///< the value for people
  std::string layer{};
};
/// One bar, cut into parts by their values; names stand in the parts that have room for them.
[[nodiscard]] Markup share_strip(const std::vector<SharePart>& parts, const std::string& title);

/// Counts of a float value's numbers, and the grid that they are rounded to.
struct GridHistogram {
  double low = 0;  ///< of the first bin
  double high = 0;
  std::vector<double> counts;
  double grid_low = 0;  ///< the least and the greatest number of the grid
  double grid_high = 0;
  double grid_step = 0;
};
/// The counts on a logarithmic axis; what lies beyond the grid is tinted, and the grid's numbers are marked where they
/// are few enough to be seen.
[[nodiscard]] Markup histogram_picture(const GridHistogram& histogram, double width, double height);

/// How often samples of a class (row) got an answer (column).
[[nodiscard]] Markup confusion_picture(const std::vector<std::string>& classes,
                                       const std::vector<std::vector<double>>& counts);

}  // namespace trimtab
