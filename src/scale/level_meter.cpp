#include "scale/level_meter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/index.h"
#include "learn/divergence.h"
#include "measure/fidelity.h"
#include "program/evaluate.h"

namespace trimtab {
namespace {

constexpr std::int64_t jackknife_blocks = 20;

/// The recording of a sample, or the sample.
std::int64_t recording_of(const Dataset& data, std::int64_t sample) {
  return data.groups.empty() ? sample : nth(data.groups, sample);
}

Score fidelity_score(const Fidelity& fidelity) {
  Score score;
  score.samples = fidelity.samples;
  if (fidelity.agreement) score.values.emplace_back(Measure::agreement, *fidelity.agreement);
  if (fidelity.sqnr_db) score.values.emplace_back(Measure::sqnr_db, *fidelity.sqnr_db);
  if (fidelity.cosine) score.values.emplace_back(Measure::cosine, *fidelity.cosine);
  return score;
}

}  // namespace

Measure point_measure(const Task& task) {
  const std::vector<Measure> measures = measures_of(task);
  if (!measures.empty()) return measures.front();
  return task.decides() ? Measure::agreement : Measure::sqnr_db;
}

double measure_lost(Measure measure, double reference, double value) {
  if (measure == Measure::sqnr_db) return 100 * std::pow(10.0, -value / 10);
  const double lost = loss_against(measure, reference, value);
  if (info_of(measure).larger_is_better) return measure == Measure::auc ? 100 * lost : lost;
  return lost == 0 ? 0 : 100 * lost / reference;
}

double usual_most_lost(Measure measure) {
  if (measure == Measure::sqnr_db) return 10;
  return info_of(measure).larger_is_better ? 12 : 100;
}

const char* lost_unit(Measure measure) {
  return info_of(measure).larger_is_better && measure != Measure::sqnr_db ? "points" : "percent";
}

double mean_divergence(const std::vector<float>& from, const std::vector<float>& to, std::size_t classes) {
  constexpr double least = 1e-12;
  double sum = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double p = from[i];
    if (p > 0) sum += p * std::log(p / std::max(static_cast<double>(to[i]), least));
  }
  return sum / static_cast<double>(from.size() / classes);
}

LevelMeter::LevelMeter(Task task, std::vector<Level> levels, const Dataset& data, std::vector<float> reference)
    : task_(std::move(task)), levels_(std::move(levels)), data_(data), reference_(std::move(reference)) {
  if (!has_classes()) {
    names_.push_back(name_of(task_.kind));
    return;
  }
  for (const Level& level : levels_) names_.push_back(level.name);
  reference_probabilities_ = probabilities(reference_);
}

std::vector<float> LevelMeter::probabilities(const std::vector<float>& outputs) const {
  return softmax_rows(outputs, static_cast<std::size_t>(task_.outputs()));
}

/// By sample: whether the most probable class of the level is the right one; without labels, the reference's.
std::vector<bool> LevelMeter::hits(const Level& level, const std::vector<float>& probabilities) const {
  const std::vector<std::int64_t> answered = answers(level, probabilities);
  const std::vector<std::int64_t> wanted =
      task_.labelled ? std::vector<std::int64_t>{} : answers(level, reference_probabilities_);
  std::vector<bool> right;
  for (std::size_t i = 0; i < answered.size(); ++i)
    right.push_back(answered[i] == (task_.labelled ? nth(level.class_of, data_.labels[i]) : wanted[i]));
  return right;
}

/// Of tasks without levels, on the samples that are not left out (empty: all).
Score LevelMeter::score(const std::vector<float>& outputs, const std::vector<bool>& left_out) const {
  const auto size = static_cast<std::size_t>(task_.outputs());
  const auto of_all = [&](const auto& add) {
    for (std::size_t i = 0; i < outputs.size() / size; ++i) {
      if (left_out.empty() || !left_out[i]) add(i, std::span(outputs).subspan(i * size, size));
    }
  };
  if (task_.labelled) {
    Scorer scorer(task_, data_, {});
    of_all([&](std::size_t i, std::span<const float> own) { scorer.add(static_cast<std::int64_t>(i), own); });
    return scorer.score();
  }
  FidelityMeter meter(task_);
  of_all([&](std::size_t i, std::span<const float> own) {
    meter.add(own, std::span(reference_).subspan(i * size, size));
  });
  return fidelity_score(meter.fidelity());
}

std::vector<AnswerScore> LevelMeter::scores(const std::vector<float>& outputs) const {
  std::vector<AnswerScore> result;
  if (!has_classes()) {
    result.push_back({score(outputs, {})});
    if (task_.labelled) (void)primary(task_, result.front().score);
    return result;
  }
  const std::vector<float> rows = probabilities(outputs);
  for (const Level& level : levels_) {
    AnswerScore& own = result.emplace_back();
    own.score.samples = data_.size();
    if (task_.labelled) {
      own.classes = trimtab::score(level, rows, data_.labels);
      own.score.values = {{Measure::top1, own.classes->top1}};
    } else {
      const std::vector<bool> right = hits(level, rows);
      const auto count = static_cast<double>(std::ranges::count(right, true));
      own.score.values = {{Measure::agreement, 100 * count / static_cast<double>(data_.size())}};
    }
  }
  return result;
}

std::vector<double> LevelMeter::divergences(const std::vector<float>& from, const std::vector<float>& to) const {
  if (!has_classes()) return {mean_divergence(task_, from, to)};
  const std::vector<float> before = probabilities(from);
  const std::vector<float> after = probabilities(to);
  std::vector<double> result;
  for (const Level& level : levels_)
    result.push_back(mean_divergence(aggregate(level, before), aggregate(level, after), level.classes.size()));
  return result;
}

double LevelMeter::lost_at(std::size_t level, const std::vector<float>& outputs) const {
  return measure_lost(measure(), scores(reference_).at(level).score.at(measure()),
                      scores(outputs).at(level).score.at(measure()));
}

std::vector<MeanDifference> LevelMeter::lost(const std::vector<float>& outputs) const {
  std::vector<MeanDifference> result;
  if (has_classes()) {
    const std::vector<float> rows = probabilities(outputs);
    for (const Level& level : levels_)
      result.push_back(paired_difference(hits(level, reference_probabilities_), hits(level, rows)));
    return result;
  }
  const double all = lost_at(0, outputs);
  std::vector<double> of_rest;
  for (std::int64_t block = 0; block < jackknife_blocks; ++block) {
    std::vector<bool> left_out;
    for (std::int64_t i = 0; i < data_.size(); ++i)
      left_out.push_back(recording_of(data_, i) % jackknife_blocks == block);
    if (!std::ranges::count(left_out, true)) continue;  // fewer recordings than blocks
    const std::optional<double> before = score(reference_, left_out).find(measure());
    const std::optional<double> after = score(outputs, left_out).find(measure());
    of_rest.push_back(before && after ? measure_lost(measure(), *before, *after)
                                      : std::numeric_limits<double>::quiet_NaN());
  }
  return {{all, jackknife_half_width(of_rest)}};
}

std::vector<MeanDifference> LevelMeter::expected_losses(const std::vector<float>& outputs, double temperature) const {
  const std::vector<float> truth =
      at_temperature(reference_probabilities_, static_cast<std::size_t>(task_.outputs()), temperature);
  const std::vector<float> rows = probabilities(outputs);
  std::vector<MeanDifference> result;
  for (const Level& level : levels_) result.push_back(expected_loss(level, truth, reference_probabilities_, rows));
  return result;
}

double LevelMeter::temperature() const { return fit_temperature(reference_probabilities_, data_.labels); }

}  // namespace trimtab
