#pragma once

#include <string>
#include <utility>
#include <vector>

#include "report/markup.h"

namespace trimtab {

enum class SeriesForm { line, steps, points, points_and_line };

/// One series of a chart. A number that is not finite leaves a gap.
struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
  SeriesForm form = SeriesForm::line;
  /// By point, or empty: an interval around y. Of lines it is an area, of points a bar.
  std::vector<double> low{};
  std::vector<double> high{};
  std::vector<std::string> notes{};  ///< by point, or empty: shown where the pointer rests
};

/// Numbers over numbers.
struct Chart {
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;
  std::vector<std::pair<double, std::string>> limits{};  ///< dashed horizontal lines with their names
  bool x_logarithmic = false;
  bool y_from_zero = false;
  double height = 300;
};

/// The chart with its legend (of several series); nothing where no series has a point.
[[nodiscard]] Markup chart_picture(const Chart& chart);

}  // namespace trimtab
