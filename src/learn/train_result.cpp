#include "learn/train_result.h"

#include <fmt/format.h>

#include "base/units.h"
#include "measure/score_json.h"

namespace trimtab {
namespace {

/// The loss on the test samples stands beside that on the training samples.
std::string key_of_test(Measure measure) {
  return measure == Measure::loss ? "test_loss" : fmt::format("{}_float", info_of(measure).key);
}

/// The score of the test samples in a result.json, without the loss.
Score test_of(const nlohmann::ordered_json& result) {
  Score score;
  score.samples = result.at("samples").get<std::int64_t>();
  for (int m = 0; m <= static_cast<int>(Measure::cosine); ++m) {
    const auto measure = static_cast<Measure>(m);
    const auto found = result.find(key_of_test(measure));
    if (found != result.end() && found->is_number() && measure != Measure::loss)
      score.values.emplace_back(measure, found->get<double>());
  }
  return score;
}

}  // namespace

nlohmann::ordered_json to_json(const TrainRun& run, const nlohmann::json& settings, const Preprocessing& preprocessing,
                               const Task& task, const TrainResult& result) {
  double seconds = 0;
  for (const EpochRecord& record : result.history) seconds += record.seconds;
  const EpochRecord& last = result.history.back();
  const Score test = last.tests.empty() ? Score{} : last.tests.front();
  std::int64_t parameters = 0;
  std::int64_t operations = 0;
  for (const Node& node : result.graph.nodes) {
    parameters += parameter_count(node);
    operations += multiply_accumulates(result.graph, node);
  }
  nlohmann::ordered_json json = {
      {"network", run.network},
      {"data", run.data},
      {"parameters", parameters},
      {"multiply_accumulates", operations},
      {"preprocessing", {{"mean", preprocessing.mean}, {"deviation", preprocessing.deviation}}},
      {"train_samples", run.train_samples},
      {"train_loss", last.train_loss},
      {"samples", test.samples},
      {"training_s", seconds},
      {"samples_per_second", last.samples_per_second},
      {"settings", settings},
      {"seed", run.seed},
      {"version", TRIMTAB_VERSION}};
  json["task"] = to_json(task);
  for (const auto& [measure, value] : test.values) json[key_of_test(measure)] = value;
  return json;
}

std::string summarize_training(const nlohmann::ordered_json& result, const std::string& model) {
  const Score test = test_of(result);
  const std::string accuracy = test.samples > 0 ? fmt::format("{} on {} test samples", summary(test), test.samples)
                                                : std::string("no test samples; give --test-data to measure it");
  return fmt::format("{}: {}, {} parameters, trained in {}\n", model, accuracy,
                     format_count(result.at("parameters").get<std::int64_t>()),
                     format_duration(result.at("training_s").get<double>()));
}

}  // namespace trimtab
