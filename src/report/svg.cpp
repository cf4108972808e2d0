#include "report/svg.h"

#include <fmt/format.h>

#include <cmath>

#include "base/units.h"

namespace trimtab {
namespace {

Markup title_of(const std::string& note) { return note.empty() ? Markup() : element("title", {}, note); }

}  // namespace

std::string coordinate(double value) { return fmt::format("{:.5g}", std::isfinite(value) ? value : 0); }

Markup svg(double width, double height, const std::string& label, const Markup& content) {
  return element("svg",
                 {{"viewBox", fmt::format("0 0 {} {}", coordinate(width), coordinate(height))},
                  {"role", "img"},
                  {"aria-label", label}},
                 content);
}

Markup rectangle(double x, double y, double width, double height, const std::string& style, const std::string& note,
                 const std::string& layer) {
  return element("rect",
                 {{"x", coordinate(x)},
                  {"y", coordinate(y)},
                  {"width", coordinate(width)},
                  {"height", coordinate(height)},
                  {"class", style},
                  {"data-layer", layer}},
                 title_of(note));
}

Markup line(double x1, double y1, double x2, double y2, const std::string& style) {
  return empty_element("line", {{"x1", coordinate(x1)},
                                {"y1", coordinate(y1)},
                                {"x2", coordinate(x2)},
                                {"y2", coordinate(y2)},
                                {"class", style}});
}

Markup path(const std::string& commands, const std::string& style, const std::string& note, const std::string& layer) {
  return element("path", {{"d", commands}, {"class", style}, {"data-layer", layer}}, title_of(note));
}

Markup label(double x, double y, const std::string& text, const std::string& anchor, const std::string& style) {
  return element("text", {{"x", coordinate(x)}, {"y", coordinate(y)}, {"text-anchor", anchor}, {"class", style}}, text);
}

Markup disc(double x, double y, double radius, const std::string& style, const std::string& note) {
  return element("circle", {{"cx", coordinate(x)}, {"cy", coordinate(y)}, {"r", coordinate(radius)}, {"class", style}},
                 title_of(note));
}

double Scale::operator()(double value) const {
  const auto place = [&](double number) { return logarithmic ? std::log10(number) : number; };
  const double range = place(to) - place(from);
  return range == 0 ? (begin + end) / 2 : begin + (end - begin) * (place(value) - place(from)) / range;
}

std::vector<double> Scale::ticks(int count) const {
  std::vector<double> values;
  if (!(to > from) || count < 1) return values;
  if (logarithmic) {
    const bool few = std::log10(to / from) < 1.5;
    for (double decade = std::pow(10, std::floor(std::log10(from))); decade <= to; decade *= 10) {
      for (const double digit : {1.0, 2.0, 5.0}) {
        const double value = digit * decade;
        if (value >= from * 0.999 && value <= to * 1.001 && (few || digit == 1)) values.push_back(value);
      }
    }
    return values;
  }
  const double rough = (to - from) / count;
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  const double step = decade * (rough / decade > 5 ? 10 : rough / decade > 2 ? 5 : rough / decade > 1 ? 2 : 1);
  for (double k = std::ceil(from / step - 1e-9); k * step <= to + step * 1e-9; ++k)
    values.push_back(k == 0 ? 0 : k * step);  // never -0
  return values;
}

std::string tick_text(double value) {
  if (std::abs(value) >= 10000 && std::abs(value) < 9e15) return format_count(std::llround(value));
  return fmt::format("{:.4g}", value);
}

}  // namespace trimtab
