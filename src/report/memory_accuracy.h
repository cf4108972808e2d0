#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// One network on the map of memory and accuracy.
struct MapPoint {
  std::string series;  ///< what shares a colour: "8 bits"
  std::string label;   ///< what it is: "conv1 12, conv2 20"
  double memory_bytes = 0;
  double value = 0;  ///< accuracy
};

/// A line over budgets: what some family of solutions reaches with so much memory.
struct MapLine {
  std::string title;
  std::vector<double> memory_bytes;
  std::vector<double> value;  ///< accuracy; not a number: none
};

/// The names of the measure that is drawn.
struct MapAxis {
  std::string key = "top1";              ///< in the files of numbers
  std::string label = "top-1, %";        ///< at the axis
  std::string unit = "points of top-1";  ///< of distances
};

/// Draws accuracy over memory into `folder`/NAME.svg and .png: points by series, and lines as staircases, since what
/// fits also fits a larger budget. With `reference` (an index of `lines`, or -1) a second picture below shows how far
/// every other line is from that one. Beside them NAME.csv (points) and NAME.json (points and lines). Throws Error as
/// `draw`.
void draw_memory_accuracy(const std::filesystem::path& folder, const std::string& name, const std::string& title,
                          const std::vector<MapPoint>& points, const std::vector<MapLine>& lines, int reference,
                          const MapAxis& axis = {});

}  // namespace trimtab
