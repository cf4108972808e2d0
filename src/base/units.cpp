#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace trimtab {
namespace {

struct Quantity {
  double number = 0;
  std::string_view unit;
};

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Splits "1.8 GHz" into 1.8 and "GHz"; a number alone has an empty unit.
Quantity split(std::string_view text, std::string_view what, std::string_view example) {
  const std::string_view trimmed = trim(text);
  Quantity quantity;
  const auto [end, error] = std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), quantity.number);
  if (error != std::errc{} || !std::isfinite(quantity.number) || quantity.number < 0) {
    throw bad_input("{} is '{}'; it must be a number with a unit, such as {}", what, text, example);
  }
  quantity.unit = trim(trimmed.substr(static_cast<std::size_t>(end - trimmed.data())));
  return quantity;
}

template <std::size_t count>
double scaled(const Quantity& quantity, const std::array<std::pair<std::string_view, double>, count>& units,
              std::string_view text, std::string_view what, std::string_view example) {
  for (const auto& [name, factor] : units) {
    if (quantity.unit == name) return quantity.number * factor;
  }
  throw bad_input("{} is '{}', whose unit '{}' is not known; write it as {}", what, text, quantity.unit, example);
}

}  // namespace

std::int64_t parse_bytes(std::string_view text, std::string_view what) {
  constexpr double kilo = 1024;
  constexpr std::array<std::pair<std::string_view, double>, 14> units{{{"", 1},
                                                                       {"B", 1},
                                                                       {"K", kilo},
                                                                       {"KB", kilo},
                                                                       {"kB", kilo},
                                                                       {"KiB", kilo},
                                                                       {"k", kilo},
                                                                       {"M", kilo * kilo},
                                                                       {"MB", kilo * kilo},
                                                                       {"MiB", kilo * kilo},
                                                                       {"G", kilo * kilo * kilo},
                                                                       {"GB", kilo * kilo * kilo},
                                                                       {"GiB", kilo * kilo * kilo},
                                                                       {"kb", kilo}}};
  const Quantity quantity = split(text, what, "64KB");
  const double bytes = scaled(quantity, units, text, what, "64KB");
  if (bytes > 9.0e18) throw bad_input("{} is '{}', which is more than can be addressed", what, text);
  return std::llround(bytes);
}

double parse_frequency(std::string_view text, std::string_view what) {
  constexpr std::array<std::pair<std::string_view, double>, 5> units{
      {{"", 1}, {"Hz", 1}, {"kHz", 1e3}, {"MHz", 1e6}, {"GHz", 1e9}}};
  return scaled(split(text, what, "1.8GHz"), units, text, what, "1.8GHz");
}

std::string format_bytes(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 1024) return fmt::format("{} B", bytes);
  if (bytes < 1024 * 1024) return fmt::format("{:.1f} KB", value / 1024);
  return fmt::format("{:.2f} MB", value / (1024.0 * 1024.0));
}

std::string format_frequency(double hertz) {
  if (hertz >= 1e9) return fmt::format("{:.2f} GHz", hertz / 1e9);
  if (hertz >= 1e6) return fmt::format("{:.0f} MHz", hertz / 1e6);
  return fmt::format("{:.0f} Hz", hertz);
}

std::string format_duration(double seconds) {
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string format_count(std::int64_t count) {
  std::string digits = std::to_string(std::abs(count));
  for (auto position = static_cast<std::int64_t>(digits.size()) - 3; position > 0; position -= 3) {
    digits.insert(static_cast<std::size_t>(position), 1, ',');
  }
  return count < 0 ? "-" + digits : digits;
}

}  // namespace trimtab
