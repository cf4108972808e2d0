#include "emit/point_quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "emit/c_text.h"

namespace trimtab {

bool has_summaries(const Program& program) {
  return program.points.size() > 1 && program.measure &&
         std::ranges::none_of(program.points, [](const ProgramPoint& point) { return point.quality.empty(); });
}

std::string QualityText::parameter() const {
  return (&info_ == &info_of(Measure::top1) ? "accuracy" : std::string(info_.key)) + "_" + limit();
}

std::string QualityText::declared() const { return fmt::format("{} {}", is_error() ? "float" : "int", parameter()); }

std::string QualityText::floor() const { return is_error() ? fmt::format("-{}", parameter()) : parameter(); }

std::string QualityText::unit() const {
  if (is_error()) return "as measured";
  const std::string_view unit = info_.unit;
  return unit == "%" ? "in hundredths of a percent" : unit == "dB" ? "in hundredths of a decibel" : "in 1/10000";
}

std::string QualityText::literal(double quality) const {
  if (is_error()) return float_literal(static_cast<float>(-quality));
  const double steps = (*info_.unit == '\0' ? 10000 : 100) * quality;
  constexpr double most = std::numeric_limits<std::int32_t>::max();
  return fmt::format("{}", std::llround(std::clamp(steps, -most, most)));
}

}  // namespace trimtab
