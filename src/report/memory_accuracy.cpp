#include "report/memory_accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json_text.h"
#include "base/text.h"
#include "report/plot.h"

namespace trimtab {
namespace {

using nlohmann::ordered_json;

constexpr double kilobyte = 1024;

std::vector<double> in_kilobytes(std::vector<double> bytes) {
  for (double& number : bytes) number /= kilobyte;
  return bytes;
}

std::string csv_of(const std::vector<MapPoint>& points, const MapAxis& axis) {
  std::string text = fmt::format("series,label,memory_bytes,{}\n", axis.key);
  for (const MapPoint& point : points)
    text += fmt::format("{},{},{:.0f},{:.3f}\n", csv_field(point.series), csv_field(point.label), point.memory_bytes,
                        point.value);
  return text;
}

ordered_json json_of(const std::vector<MapPoint>& points, const std::vector<MapLine>& lines, const MapAxis& axis) {
  ordered_json json = {{"points", ordered_json::array()}, {"lines", ordered_json::array()}};
  for (const MapPoint& point : points)
    json["points"].push_back({{"series", point.series},
                              {"label", point.label},
                              {"memory_bytes", point.memory_bytes},
                              {axis.key, point.value}});
  for (const MapLine& line : lines)
    json["lines"].push_back({{"title", line.title}, {"memory_bytes", line.memory_bytes}, {axis.key, line.value}});
  return json;
}

Plot map_plot(const std::string& title, const std::vector<MapPoint>& points, const std::vector<MapLine>& lines,
              const MapAxis& axis) {
  Plot plot;
  plot.title = title;
  plot.x_label = "memory, KB";
  plot.y_label = axis.label;
  for (const MapLine& line : lines) {
    Curve curve;
    curve.title = line.title;
    curve.x = in_kilobytes(line.memory_bytes);
    curve.y = line.value;
    curve.steps = true;
    plot.curves.push_back(curve);
  }
  std::vector<std::string> series;
  for (const MapPoint& point : points) {
    if (std::find(series.begin(), series.end(), point.series) == series.end()) series.push_back(point.series);
  }
  for (const std::string& name : series) {
    Curve curve;
    curve.title = name;
    curve.points = true;
    for (const MapPoint& point : points) {
      if (point.series != name) continue;
      curve.x.push_back(point.memory_bytes / kilobyte);
      curve.y.push_back(point.value);
    }
    plot.curves.push_back(curve);
  }
  return plot;
}

/// The value that a line reaches with so much memory: its last value at or below it.
double value_at(const MapLine& line, double memory_bytes) {
  double value = std::nan("");
  for (std::size_t i = 0; i < line.memory_bytes.size() && line.memory_bytes[i] <= memory_bytes; ++i)
    value = line.value[i];
  return value;
}

Plot distance_plot(const std::vector<MapLine>& lines, std::size_t reference, const MapAxis& axis) {
  Plot plot;
  plot.title = "distance to " + lines[reference].title;
  plot.x_label = "memory, KB";
  plot.y_label = axis.unit;
  plot.y_from_zero = true;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == reference) continue;
    Curve curve;
    curve.title = lines[i].title;
    for (std::size_t k = 0; k < lines[i].memory_bytes.size(); ++k) {
      curve.x.push_back(lines[i].memory_bytes[k] / kilobyte);
      curve.y.push_back(value_at(lines[reference], lines[i].memory_bytes[k]) - lines[i].value[k]);
    }
    plot.curves.push_back(curve);
  }
  return plot;
}

}  // namespace

void draw_memory_accuracy(const std::filesystem::path& folder, const std::string& name, const std::string& title,
                          const std::vector<MapPoint>& points, const std::vector<MapLine>& lines, int reference,
                          const MapAxis& axis) {
  // gnuplot refuses to draw what has no numbers: a family that was not part of the search, say
  std::vector<MapLine> drawn = lines;
  std::erase_if(drawn, [](const MapLine& line) {
    return std::none_of(line.value.begin(), line.value.end(), [](double value) { return std::isfinite(value); });
  });
  std::vector<Plot> plots = {map_plot(title, points, drawn, axis)};
  if (reference >= 0 && drawn.size() > 1 && drawn.size() == lines.size())
    plots.push_back(distance_plot(lines, static_cast<std::size_t>(reference), axis));
  make_directory(folder);
  write_file(folder / (name + ".csv"), csv_of(points, axis));
  write_file(folder / (name + ".json"), json_text(json_of(points, lines, axis), 2) + "\n");
  for (const char* ending : {".svg", ".png"}) draw(folder / (name + ending), plots);
}

}  // namespace trimtab
