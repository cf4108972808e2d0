#include "measure/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/index.h"

namespace trimtab {

namespace {

constexpr std::array<MeasureInfo, 13> infos = {{{"top1", "top-1", "%", 2, true},
                                                {"top5", "top-5", "%", 2, true},
                                                {"loss", "loss", "", 4, false},
                                                {"auc", "ROC AUC", "", 4, true},
                                                {"accuracy", "accuracy", "%", 2, true},
                                                {"mse", "MSE", "", -4, false},
                                                {"mae", "MAE", "", -4, false},
                                                {"r2", "R2", "", 4, true},
                                                {"mean_iou", "mean IoU", "%", 2, true},
                                                {"pixel_accuracy", "pixel accuracy", "%", 2, true},
                                                {"agreement", "agreement", "%", 2, true},
                                                {"sqnr_db", "SQNR", "dB", 2, true},
                                                {"cosine", "cosine", "", 6, true}}};

double percent(std::int64_t part, std::int64_t all) {
  return 100 * static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

const MeasureInfo& info_of(Measure measure) { return infos.at(static_cast<std::size_t>(measure)); }

std::optional<Measure> measure_of_key(const std::string& key) {
  const auto found = std::ranges::find(infos, key, &MeasureInfo::key);
  return found == infos.end() ? std::nullopt : std::optional(static_cast<Measure>(found - infos.begin()));
}

std::string format_value(Measure measure, double value) {
  const MeasureInfo& info = info_of(measure);
  if (std::isinf(value) && measure == Measure::sqnr_db) return "no difference";
  std::string text =
      info.digits < 0 ? fmt::format("{:.{}g}", value, -info.digits) : fmt::format("{:.{}f}", value, info.digits);
  if (*info.unit != '\0') text += std::string(" ") + info.unit;
  return text;
}

bool is_better(Measure measure, double value, double than) {
  if (std::isnan(value) || std::isnan(than)) return !std::isnan(value) && std::isnan(than);
  return info_of(measure).larger_is_better ? value > than : value < than;
}

double loss_against(Measure measure, double reference, double value) {
  return info_of(measure).larger_is_better ? reference - value : value - reference;
}

std::vector<Measure> measures_of(const Task& task) {
  if (!task.labelled) return {};
  switch (task.kind) {
    case TaskKind::classification:
      if (task.channels() > 5) return {Measure::top1, Measure::top5, Measure::loss};
      return {Measure::top1, Measure::loss};
    case TaskKind::binary:
      return {Measure::auc, Measure::accuracy};
    case TaskKind::regression:
    case TaskKind::reconstruction:
      return {Measure::mse, Measure::mae, Measure::r2};
    case TaskKind::anomaly:
      return {Measure::auc, Measure::mse};
    case TaskKind::segmentation:
      return {Measure::mean_iou, Measure::pixel_accuracy};
    case TaskKind::outputs:
      return {};
  }
  return {};
}

std::optional<double> Score::find(Measure measure) const {
  const auto found = std::ranges::find(values, measure, &std::pair<Measure, double>::first);
  return found == values.end() ? std::nullopt : std::optional<double>(found->second);
}

double Score::at(Measure measure) const {
  const std::optional<double> value = find(measure);
  if (!value) throw failure("the measure {} was not taken", info_of(measure).name);
  return *value;
}

double primary(const Task& task, const Score& score) {
  const std::vector<Measure> measures = measures_of(task);
  if (measures.empty()) throw bad_input("{} without answers has no measure", name_of(task.kind));
  const std::optional<double> value = score.find(measures[0]);
  if (!value) {
    throw bad_input("{} of {} samples is not defined: samples of both classes are needed, and outputs that are numbers",
                    info_of(measures[0]).name, score.samples);
  }
  return *value;
}

std::string headline(const Score& score) {
  if (score.values.empty()) return "nothing measured";
  const auto& [measure, value] = score.values.front();
  return fmt::format("{} {}", info_of(measure).name, format_value(measure, value));
}

std::string summary(const Score& score) {
  std::string text;
  for (const auto& [measure, value] : score.values) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", info_of(measure).name, format_value(measure, value));
  }
  return text.empty() ? "nothing measured" : text;
}

Scorer::Scorer(Task task, const Dataset& data, Preprocessing preprocessing)
    : task_(std::move(task)),
      data_(data),
      preprocessing_(std::move(preprocessing)),
      errors_(task_.outputs()),
      pixels_(task_.kind == TaskKind::segmentation ? std::max<std::int64_t>(task_.channels(), 2) : 1),
      target_(static_cast<std::size_t>(task_.outputs())) {
  if (task_.labelled) check_answers(task_, data);
}

void Scorer::add(std::int64_t first, std::span<const float> outputs) {
  const auto size = static_cast<std::size_t>(task_.outputs());
  for (std::size_t at = 0; at < outputs.size(); at += size) add_sample(first++, outputs.subspan(at, size));
}

void Scorer::add_sample(std::int64_t index, std::span<const float> outputs) {
  ++samples_;
  if (std::ranges::any_of(outputs, [](float number) { return std::isnan(number); })) ++without_numbers_;
  if (!task_.labelled) return;
  switch (task_.kind) {
    case TaskKind::classification: {
      const std::int64_t label = nth(data_.labels, index);
      const std::int64_t rank = rank_of(outputs, label);
      first_places_ += rank < 1 ? 1 : 0;
      among_five_ += rank < 5 ? 1 : 0;
      loss_ += cross_entropy(outputs, label);
      break;
    }
    case TaskKind::binary: {
      const std::int64_t label = nth(data_.labels, index);
      first_places_ += decision(task_, outputs) == label ? 1 : 0;
      scores_.push_back(outputs[0]);
      positive_.push_back(label == 1);
      break;
    }
    case TaskKind::regression:
    case TaskKind::reconstruction:
      read_target(task_, data_, index, preprocessing_, target_);
      errors_.add(outputs, target_);
      break;
    case TaskKind::anomaly: {
      read_target(task_, data_, index, preprocessing_, target_);
      errors_.add(outputs, target_);
      ErrorMeasures own(task_.outputs());
      own.add(outputs, target_);
      scores_.push_back(own.mean_squared_error());
      positive_.push_back(nth(data_.labels, index) == 1);
      group_.push_back(data_.groups.empty() ? index : nth(data_.groups, index));
      break;
    }
    case TaskKind::segmentation: {
      decide_pixels(task_, outputs, classes_);
      const auto labels = data_.class_maps[index];
      for (std::size_t p = 0; p < classes_.size(); ++p) pixels_.add(labels[p], classes_[p]);
      break;
    }
    case TaskKind::outputs:
      break;
  }
}

/// As MLPerf Tiny does: a recording's score is the mean over its parts.
std::optional<double> Scorer::anomaly_auc() const {
  struct Recording {
    double sum = 0;
    double parts = 0;
    bool positive = false;
  };
  std::map<std::int64_t, Recording> recordings;
  for (std::size_t i = 0; i < scores_.size(); ++i) {
    Recording& own = recordings[group_[i]];
    own.sum += scores_[i];
    own.parts += 1;
    own.positive = own.positive || positive_[i];
  }
  std::vector<double> means;
  std::vector<bool> positive;
  for (const auto& [group, recording] : recordings) {
    means.push_back(recording.sum / recording.parts);
    positive.push_back(recording.positive);
  }
  return roc_auc(means, positive);
}

std::optional<double> Scorer::value_of(Measure measure) const {
  switch (measure) {
    case Measure::top1:
    case Measure::accuracy:
      return percent(first_places_, samples_);
    case Measure::top5:
      return percent(among_five_, samples_);
    case Measure::loss:
      return loss_ / static_cast<double>(samples_);
    case Measure::auc:
      return task_.kind == TaskKind::anomaly ? anomaly_auc() : roc_auc(scores_, positive_);
    case Measure::mse:
      return errors_.mean_squared_error();
    case Measure::mae:
      return errors_.mean_absolute_error();
    case Measure::r2:
      return errors_.r2();
    case Measure::pixel_accuracy:
      return pixels_.accuracy();
    case Measure::mean_iou:
      return pixels_.mean_iou();
    case Measure::agreement:
    case Measure::sqnr_db:
    case Measure::cosine:
      return std::nullopt;  // they compare two networks: see fidelity.h
  }
  return std::nullopt;
}

Score Scorer::score() const {
  Score score;
  score.samples = samples_;
  if (samples_ == 0) return score;
  if (without_numbers_ > 0) {
    throw failure("the network's outputs are not numbers on {} of {} samples, which is no result", without_numbers_,
                  samples_);
  }
  for (const Measure measure : measures_of(task_)) {
    const std::optional<double> value = value_of(measure);
    if (value && !std::isfinite(*value)) {
      throw failure("the {} over {} samples is {}, which is no result; the network's outputs are too large",
                    info_of(measure).name, samples_, *value);
    }
    if (value) score.values.emplace_back(measure, *value);
  }
  return score;
}

}  // namespace trimtab
