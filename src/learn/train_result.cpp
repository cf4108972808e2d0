#include "learn/train_result.h"

#include <fmt/format.h>

#include "base/units.h"

namespace trimtab {

nlohmann::ordered_json to_json(const TrainRun& run, const nlohmann::json& settings, const Preprocessing& preprocessing,
                               const TrainResult& result) {
  double seconds = 0;
  for (const EpochRecord& record : result.history) seconds += record.seconds;
  const EpochRecord& last = result.history.back();
  const Evaluation test = last.tests.empty() ? Evaluation{} : last.tests.front();
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
  if (test.samples > 0) {
    json["top1_float"] = test.top1;
    json["top5_float"] = test.top5;
    json["test_loss"] = test.loss;
  }
  return json;
}

std::string summarize_training(const nlohmann::ordered_json& result, const std::string& model) {
  const std::string accuracy =
      result.contains("top1_float")
          ? fmt::format("top-1 {:.2f} %, top-5 {:.2f} % on {} test samples", result.at("top1_float").get<double>(),
                        result.at("top5_float").get<double>(), result.at("samples").get<std::int64_t>())
          : std::string("no test samples; give --test-data to measure it");
  return fmt::format("{}: {}, {} parameters, trained in {}\n", model, accuracy,
                     format_count(result.at("parameters").get<std::int64_t>()),
                     format_duration(result.at("training_s").get<double>()));
}

}  // namespace trimtab
