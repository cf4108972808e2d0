#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// One line of a plot.
struct Curve {
  std::string title;
  std::vector<double> x;
  std::vector<double> y;
  bool right_axis = false;     ///< against the axis at the right
  bool steps = false;          ///< as a staircase, for values that hold until the next
  bool points = false;         ///< as points instead of a line
  std::vector<double> high{};  ///< where not empty: the area between y and these, filled lightly, instead of a line
  int colour = -1;             ///< of the palette; -1: the next one
};

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::string right_label;  ///< of the axis at the right, where a curve uses it
  std::vector<Curve> curves;
  std::vector<double> levels;  ///< dashed horizontal lines, for instance limits
  bool y_from_zero = false;
  bool right_from_zero = false;
  std::vector<std::string> x_names{};  ///< of x = 0, 1, ... instead of numbers, where not empty
};

/// Draws the plots one below the other into `path`, an .svg or a .png, by gnuplot; beside it stay `path`.gp and
/// `path`.dat, from which `gnuplot NAME.gp` draws it again. Throws Error (bad input) where gnuplot is not installed,
/// the ending is another, or a curve's x and y have not as many numbers.
void draw(const std::filesystem::path& path, const std::vector<Plot>& plots, int width = 900, int height = 360);

}  // namespace trimtab
