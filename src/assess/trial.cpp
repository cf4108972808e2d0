#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "assess/assess.h"
#include "base/error.h"
#include "base/file.h"
#include "learn/importance.h"
#include "learn/quantization_aware.h"
#include "learn/quantize.h"
#include "learn/quantized_simulation.h"
#include "learn/recover.h"
#include "plan/clean_up.h"
#include "plan/layers.h"
#include "plan/quantized_network_file.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Plan same_bits(const Graph& prepared, int bits) {
  Plan plan = uniform_plan(prepared, 8, 8);
  // the network's output keeps the 16 bits that uniform_plan gives it: it is no part of the counted numbers
  for (LayerPlan& layer : plan.layers) {
    layer.weight_bits = bits;
    if (layer.activation_bits == 8) layer.activation_bits = bits;
  }
  return plan;
}

/// As much training as `samples` seen: whole epochs where there are more than the data hold, else one epoch of a part.
struct Amount {
  std::int64_t epochs = 1;
  std::int64_t samples = 0;
};

Amount amount_of(std::int64_t seen, std::int64_t size) {
  Amount amount;
  amount.epochs = std::max<std::int64_t>(1, std::llround(static_cast<double>(seen) / static_cast<double>(size)));
  amount.samples = std::min(size, seen / amount.epochs);
  return amount;
}

double warmup_of(std::int64_t epochs) { return std::min(0.5, 0.1 * static_cast<double>(epochs)); }

QatOptions training_options(const TrialSpec& spec, std::int64_t epochs, int threads) {
  QatOptions options;
  options.training.epochs = epochs;
  options.training.learning_rate = spec.settings.at("learning_rate");
  options.training.warmup_epochs = warmup_of(epochs);
  options.training.seed = spec.seed;
  options.training.threads = threads;
  options.training.device = "cpu";
  options.distill = spec.settings.at("distill");
  options.calibration.threads = threads;
  return options;
}

}  // namespace

Dataset with_pixel_bits(Dataset data, int bits) {
  if (bits >= 8) return data;
  const int shift = 8 - bits;
  std::vector<std::uint8_t> pixels = data.pixels.values();
  for (std::uint8_t& pixel : pixels)
    pixel = static_cast<std::uint8_t>(((pixel >> shift) << shift) + (1 << (shift - 1)));
  data.pixels = {std::move(pixels), data.pixels.sample_size()};
  return data;
}

std::vector<double> assess_importance(const Graph& prepared, const Dataset& train_data, const Task& task) {
  ImportanceOptions options;
  options.task = task;
  options.threads = 1;  // the same numbers on every machine's every rank
  return unit_importance(prepared, find_channel_groups(prepared), train_data, options);
}

AssessTrials::AssessTrials(const Graph& graph, const Preprocessing& preprocessing, Dataset train_data,
                           Dataset test_data, const TaskChoice& task, int threads)
    : train_(std::move(train_data)),
      test_(std::move(test_data)),
      task_(choose_task(task, output_of(graph), test_, preprocessing)),
      threads_(threads) {
  if (!train_.is_pixels() || !test_.is_pixels())
    throw bad_input("assess needs 8-bit pixels as samples, whose width can be varied; these are features");
  check_fits(train_, graph.input_shape());
  check_fits(test_, graph.input_shape());
  check_answers(task_, train_);
  check_answers(task_, test_);
  const Graph prepared = prepare_for_deployment(graph, preprocessing);
  teacher_ = std::make_shared<const Graph>(clean_up(prepared, input_ranges(prepared, train_)).graph);
  groups_ = find_channel_groups(*teacher_);
  importance_ = assess_importance(*teacher_, train_, task_);
}

/// The pruned network after training in float.
Graph AssessTrials::recovered(const Graph& pruned, const TrialSpec& spec, const fs::path& folder) const {
  const std::int64_t seen = spec.settings.at("recovery_samples");
  const fs::path finished = folder / "recovered.network";
  if (seen <= 0 || spec.settings.at("filters").empty()) return pruned;
  if (fs::exists(finished)) return load_graph(finished);
  const Amount amount = amount_of(seen, train_.size());
  TrainOptions options = recovery_options(training_options(spec, amount.epochs, threads_).training);
  options.epochs = amount.epochs;
  options.learning_rate = spec.settings.at("recovery_learning_rate");
  options.warmup_epochs = warmup_of(amount.epochs);
  options.task = task_;
  options.checkpoint = folder / "recovery.checkpoint";
  Graph graph =
      recover(pruned, spec.settings.at("distill") ? teacher_ : nullptr, train_.sample(amount.samples, 1), {}, options)
          .graph;
  save_graph(graph, finished);
  fs::remove(options.checkpoint);
  return graph;
}

json AssessTrials::run(const TrialSpec& spec, const fs::path& folder) {
  const auto start = std::chrono::steady_clock::now();
  const int bits = spec.settings.at("bits");
  const Graph pruned = prune_to(*teacher_, groups_, importance_, spec.settings.at("filters").get<KeptFilters>());
  make_directory(folder);
  const Graph start_graph = recovered(pruned, spec, folder);
  const Plan plan = same_bits(start_graph, bits);
  const std::int64_t seen = spec.settings.at("training_samples");
  QuantizedNetwork network;
  if (seen > 0) {
    const Amount amount = amount_of(seen, train_.size());
    QatOptions options = training_options(spec, amount.epochs, threads_);
    options.teacher = teacher_;
    options.training.task = task_;
    options.directory = folder / "training";
    network = train_quantized(start_graph, plan, with_pixel_bits(train_.sample(amount.samples, 1), bits), {}, options);
  } else {
    CalibrationOptions options;
    options.threads = threads_;
    network = quantize_post_training(start_graph, plan, with_pixel_bits(train_.sample(1024, 1), bits), options);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const CountedNumbers counted = count_numbers(pruned);
  std::int64_t operations = 0;
  for (const Node& node : pruned.nodes) operations += multiply_accumulates(pruned, node);
  const Score score = QuantizedSimulation(network).score(with_pixel_bits(test_, bits), task_);
  return {{info_of(measures_of(task_).at(0)).key, primary(task_, score)},
          {"samples", test_.size()},
          {"bits", bits},
          {"memory_bytes", counted.bytes(bits)},
          {"weights", counted.weights},
          {"activations", counted.activations},
          {"multiply_accumulates", operations},
          {"training_s", seconds}};
}

}  // namespace trimtab
