#include "fit/trials.h"

#include "base/error.h"
#include "base/file.h"
#include "learn/evaluate.h"
#include "learn/quantized_simulation.h"
#include "learn/recover.h"
#include "learn/shrink.h"
#include "plan/quantized_network_file.h"

namespace trimtab {
namespace {

constexpr const char* network_file = "float.network";
constexpr const char* quantized_file = "quantized.network";

/// The samples that a trial trains on.
Dataset samples_of(const FitTrialData& data, const TrialSpec& spec) {
  const std::int64_t count = spec.settings.at("samples");
  return count > 0 && count < data.train.size() ? data.train.sample(count, 1) : data.train;
}

nlohmann::json metrics_of(const Task& task, const Score& score, std::int64_t epochs, const Dataset& samples) {
  return {
      {info_of(measures_of(task).at(0)).key, primary(task, score)}, {"epochs", epochs}, {"samples", samples.size()}};
}

nlohmann::json plan_json(const Plan& plan) {
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerPlan& layer : plan.layers)
    layers.push_back({layer.layer, layer.filters, layer.weight_bits, layer.activation_bits});
  return layers;
}

Plan plan_of(const nlohmann::json& layers) {
  Plan plan;
  for (const nlohmann::json& layer : layers)
    plan.layers.push_back({layer.at(0), layer.at(1), layer.at(2), layer.at(3)});
  return plan;
}

nlohmann::json to_json(const TrialSpec& spec) { return {{"settings", spec.settings}, {"seed", spec.seed}}; }

TrialSpec spec_of(const nlohmann::json& stored) { return {stored.at("settings"), stored.at("seed")}; }

nlohmann::json run_shrink(const FitTrialData& data, const TrialSpec& spec, const std::filesystem::path& folder) {
  const auto kept = spec.settings.at("kept").get<std::vector<std::int64_t>>();
  const std::int64_t epochs = kept.empty() ? 0 : spec.settings.at("epochs").get<std::int64_t>();
  const Dataset samples = samples_of(data, spec);
  Graph graph = *data.prepared;
  if (!kept.empty()) {
    ShrinkOptions options;
    options.importance.measure = data.importance;
    options.importance.threads = data.threads;
    options.importance.task = data.task;
    options.recovery = recovery_options(data.training.training);
    options.recovery.epochs = epochs;
    options.recovery.task = data.task;
    options.recovery.seed = spec.seed;
    options.recovery.checkpoint = folder / "recovery.checkpoint";
    options.recovery.log = folder / "recovery.csv";
    graph = shrink(graph, kept, samples, {}, options);
  }
  save_graph(graph, folder / network_file);
  EvaluateOptions evaluation;
  evaluation.threads = data.threads;
  evaluation.task = data.task;
  return metrics_of(data.task, evaluate(graph, data.validation, {}, evaluation), epochs, samples);
}

nlohmann::json run_quantize(const FitTrialData& data, const TrialSpec& spec, const std::filesystem::path& folder) {
  const TrialSpec before = spec_of(spec.settings.at("after"));
  const Graph start = network_after(data, before, folder.parent_path() / before.folder_name());
  const Plan plan = plan_of(spec.settings.at("plan"));
  const std::int64_t epochs = spec.settings.at("epochs");
  const Dataset samples = samples_of(data, spec);
  QuantizedNetwork network;
  Graph latent = start;
  if (epochs == 0) {
    network = quantize_post_training(start, plan, samples, data.training.calibration);
  } else {
    QatOptions options = data.training;
    options.training.epochs = epochs;
    options.training.seed = spec.seed;
    options.teacher = data.teacher ? data.teacher : data.prepared;
    options.directory = folder / "training";
    std::filesystem::remove(options.directory / "quantized.network");  // or its latent network would be missing
    network = train_quantized(start, plan, samples, {}, options, &latent);
  }
  save_graph(latent, folder / network_file);
  save_quantized_network(network, folder / quantized_file);
  std::filesystem::remove_all(folder / "training");
  return metrics_of(data.task, QuantizedSimulation(network).score(data.validation, data.task), epochs, samples);
}

}  // namespace

TrialSpec shrink_trial(const std::vector<std::int64_t>& kept, const TrialEffort& effort, std::uint64_t seed) {
  return {{{"kind", "shrink"}, {"kept", kept}, {"epochs", effort.epochs}, {"samples", effort.samples}}, seed};
}

TrialSpec quantize_trial(const TrialSpec& before, const Plan& plan, const TrialEffort& effort, std::uint64_t seed) {
  return {{{"kind", "quantize"},
           {"after", to_json(before)},
           {"plan", plan_json(plan)},
           {"epochs", effort.epochs},
           {"samples", effort.samples}},
          seed};
}

nlohmann::json run_fit_trial(const FitTrialData& data, const TrialSpec& spec, const std::filesystem::path& folder) {
  make_directory(folder);
  return spec.settings.at("kind") == "shrink" ? run_shrink(data, spec, folder) : run_quantize(data, spec, folder);
}

Graph network_after(const FitTrialData& data, const TrialSpec& spec, const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / network_file)) (void)run_fit_trial(data, spec, folder);
  return load_graph(folder / network_file);
}

QuantizedNetwork quantized_after(const FitTrialData& data, const TrialSpec& spec, const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / quantized_file)) (void)run_fit_trial(data, spec, folder);
  return load_quantized_network(folder / quantized_file);
}

}  // namespace trimtab
