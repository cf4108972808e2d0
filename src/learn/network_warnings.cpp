#include "learn/network_warnings.h"

#include "base/error.h"
#include "learn/evaluate.h"

namespace trimtab {

std::optional<std::string> preprocessing_warning(const Graph& graph, const Dataset& data,
                                                 const Preprocessing& preprocessing, const Task& task, int threads) {
  constexpr std::int64_t least_samples = 100;
  constexpr std::int64_t most_samples = 256;
  constexpr double far_better = 15;  // points: three deviations of a share of 100 samples
  const bool classes = task.kind == TaskKind::classification || task.kind == TaskKind::binary;
  if (!classes || !task.labelled || !data.is_pixels() || data.size() < least_samples) return std::nullopt;
  const Measure measure = task.kind == TaskKind::binary ? Measure::accuracy : Measure::top1;
  const Dataset samples = data.sample(most_samples, 1);
  EvaluateOptions options;
  options.threads = threads;
  options.task = task;
  const auto with = [&](const Preprocessing& other) { return evaluate(graph, samples, other, options).at(measure); };
  const double own = with(preprocessing);
  if (own > 100 - far_better) return std::nullopt;
  const std::int64_t channels = data.shape.at(0);
  std::string best_name;
  double best = own;
  for (const char* name : {"none", "unit", "imagenet", "mobilenet"}) {
    if (channels != 3 && std::string(name) == "imagenet") continue;
    const double value = with(parse_preprocessing(name, channels));
    if (value <= best) continue;
    best = value;
    best_name = name;
  }
  if (best < own + far_better) return std::nullopt;
  return fmt::format(
      "{} of {} samples is {} with --preprocessing {}, and {} with the one in use, which is surely wrong",
      info_of(measure).name, samples.size(), format_value(measure, best), best_name, format_value(measure, own));
}

std::vector<std::string> network_warnings(const Graph& graph, const Dataset& data, const Preprocessing& preprocessing,
                                          const Task& task, const AnswerCount& answers, int threads) {
  std::vector<std::string> warnings;
  const auto add = [&](std::optional<std::string> warning) {
    if (warning) warnings.push_back(*std::move(warning));
  };
  add(absent_classes_warning(task, data, "test data"));
  add(answers.warning("the float network", data));
  add(preprocessing_warning(graph, data, preprocessing, task, threads));
  return warnings;
}

}  // namespace trimtab
