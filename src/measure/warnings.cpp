#include "measure/warnings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/index.h"

namespace trimtab {

namespace {

struct Range {
  double low = 0;
  double high = 0;
  [[nodiscard]] double width() const { return high - low; }
  [[nodiscard]] double centre() const { return (low + high) / 2; }
};

/// Of the middle 99.8 % of the numbers: a single bad pixel does not stretch it.
Range range_of(const Dataset& data) {
  constexpr std::int64_t most_samples = 1000;
  constexpr double outside = 0.001;
  const std::int64_t count = std::min(data.size(), most_samples);
  const auto size = static_cast<std::size_t>(element_count(data.shape));
  std::vector<float> numbers(static_cast<std::size_t>(count) * size);
  for (std::int64_t i = 0; i < count; ++i) {
    data.read(i * data.size() / count, {}, std::span(numbers).subspan(static_cast<std::size_t>(i) * size, size));
  }
  const auto at = [&](double share) {
    const auto place =
        numbers.begin() + static_cast<std::ptrdiff_t>(std::llround(share * static_cast<double>(numbers.size() - 1)));
    std::nth_element(numbers.begin(), place, numbers.end());
    return static_cast<double>(*place);
  };
  const double low = at(outside);
  return {low, at(1 - outside)};
}

std::string name_of_class(const Dataset& data, std::int64_t number) {
  return number < std::ssize(data.classes) ? nth(data.classes, number) : std::to_string(number);
}

/// The number of samples (segmentation: of pixels) of every class.
std::vector<std::int64_t> counts_of(const Dataset& data, std::int64_t classes) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes));
  const auto add = [&](std::int64_t label) {
    if (label >= 0 && label < classes) ++nth(counts, label);
  };
  for (const std::int64_t label : data.labels) add(label);
  for (std::int64_t i = 0; i < data.class_maps.size(); ++i) {
    for (const std::int32_t label : data.class_maps[i]) add(label);
  }
  return counts;
}

std::int64_t classes_of(const Task& task) { return std::max<std::int64_t>(task.channels(), 2); }

}  // namespace

std::optional<std::string> range_warning(const Dataset& calibration, const Dataset& test) {
  if (calibration.size() == 0 || test.size() == 0) return std::nullopt;
  const Range own = range_of(calibration);
  const Range other = range_of(test);
  const double wide = std::max(own.width(), other.width());
  const double narrow = std::min(own.width(), other.width());
  const bool far = wide > 3 * narrow || std::abs(own.centre() - other.centre()) > wide;
  if (!far) return std::nullopt;
  return fmt::format(
      "the samples to calibrate with lie in {:.4g} to {:.4g}, the test samples in {:.4g} to {:.4g}; the ranges of the "
      "activations will not fit",
      own.low, own.high, other.low, other.high);
}

std::optional<std::string> absent_classes_warning(const Task& task, const Dataset& data, const std::string& name) {
  if (!task.decides() || !task.labelled) return std::nullopt;
  constexpr std::int64_t enough = 5;  // samples per class
  const std::int64_t classes = classes_of(task);
  if (data.size() < enough * classes) return std::nullopt;
  const std::vector<std::int64_t> counts = counts_of(data, classes);
  std::vector<std::string> absent;
  for (std::int64_t c = 0; c < classes; ++c) {
    const std::string own = name_of_class(data, c);
    if (nth(counts, c) == 0 && own != "background") absent.push_back(own);
  }
  if (absent.empty()) return std::nullopt;
  const std::size_t count = absent.size();
  constexpr std::size_t shown = 5;
  const bool more = count > shown;
  if (more) absent.resize(shown);
  return fmt::format("{} of the {} classes never occur in the {}: {}{}", count, classes, name, fmt::join(absent, ", "),
                     more ? ", ..." : "");
}

AnswerCount::AnswerCount(Task task) : task_(std::move(task)), counts_(static_cast<std::size_t>(classes_of(task_))) {}

void AnswerCount::add(std::span<const float> outputs) {
  if (!task_.decides()) return;
  const auto count = [&](std::int64_t answer) {
    ++answers_;
    if (answer >= 0) ++nth(counts_, answer);
  };
  const auto size = static_cast<std::size_t>(task_.outputs());
  for (std::size_t at = 0; at < outputs.size(); at += size) {
    if (task_.kind == TaskKind::segmentation) {
      decide_pixels(task_, outputs.subspan(at, size), pixels_);
      std::ranges::for_each(pixels_, count);
    } else {
      count(decision(task_, outputs.subspan(at, size)));
    }
  }
}

std::optional<std::string> AnswerCount::warning(const std::string& network, const Dataset& data) const {
  constexpr std::int64_t least_answers = 20;
  constexpr double nearly_all = 0.95;
  constexpr double most = 0.5;
  if (answers_ < least_answers) return std::nullopt;
  const auto largest = std::ranges::max_element(counts_);
  const double share = static_cast<double>(*largest) / static_cast<double>(answers_);
  if (share < nearly_all) return std::nullopt;
  const std::int64_t answer = largest - counts_.begin();
  if (task_.labelled) {
    const std::vector<std::int64_t> labels = counts_of(data, std::ssize(counts_));
    std::int64_t all = 0;
    for (const std::int64_t labelled : labels) all += labelled;
    if (all == 0 || static_cast<double>(nth(labels, answer)) > most * static_cast<double>(all)) return std::nullopt;
  } else if (*largest < answers_) {
    return std::nullopt;
  }
  return fmt::format("{} answers '{}' to {:.0f} % of the samples; its input or its preprocessing may be wrong", network,
                     name_of_class(data, answer), 100 * share);
}

}  // namespace trimtab
