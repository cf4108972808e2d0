#include "learn/nested_training.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/index.h"
#include "base/random.h"
#include "learn/divided_input.h"
#include "learn/nested_grid.h"
#include "learn/nested_training_network.h"
#include "learn/training.h"

namespace trimtab {
namespace {

/// Samples over which the channels' means and variances are measured.
constexpr std::int64_t statistics_samples = 2048;
/// Of the loss, what all bits contribute; the least and the random precision share the rest. Few bits lose more and
/// pull harder: with equal shares the network at all bits pays for them (results/scale.md).
constexpr double leading_share = 0.5;

/// Of every layer, by its group: uniform, or by layer.
std::vector<Precision> random_precision(const std::vector<int>& groups, const Precision& least, Random& random) {
  const auto pick = [&random](const std::vector<int>& choices) {
    return nth(choices, random.integer(0, std::ssize(choices) - 1));
  };
  const std::vector<int> weight_bits{8, 6, 5, 4, 3};
  const std::vector<int> activation_bits{8, 6, 4};
  if (random.uniform() < 0.5) {
    const int bits = least.weights < 6 ? pick({5, 6}) : 6;
    return std::vector<Precision>(groups.size(), Precision{bits, 6});
  }
  std::vector<Precision> result;
  std::map<int, int> of_group;
  for (const int group : groups) {
    const int activations = of_group.emplace(group, pick(activation_bits)).first->second;
    result.push_back({pick(weight_bits), activations});
  }
  return result;
}

/// The sandwich: all bits learn from the teacher, others from them.
std::vector<TrainingPass> sandwich(NestedTrainingNetwork& network, const NestedTrainOptions& options) {
  const TrainingPass leading{[&](Random&) { network.lead(); }, {}, options.only ? 1 : leading_share};
  if (options.only) return {leading};
  constexpr double share = (1 - leading_share) / 2;
  return {
      leading,
      {[&](Random&) { network.run_at(options.least); }, 0, share},
      {[&](Random& random) { network.run_at(random_precision(network.groups(), options.least, random)); }, 0, share}};
}

}  // namespace

NestedNetwork train_nested(const Graph& prepared, const Dataset& train_data, const Dataset& test_data,
                           const NestedTrainOptions& options) {
  TrainOptions training = training_in(options.directory, train_data, options.training);
  if (!training.teacher) training.teacher = std::make_shared<const Graph>(prepared);
  configure_threads(training.threads);
  const Precision leading = options.only.value_or(Precision{});
  nlohmann::json settings = grid_training_settings(prepared, train_data, training, options.calibration);
  settings["leading"] = {leading.weights, leading.activations};
  settings["least"] = {options.least.weights, options.least.activations};

  const NestedNetwork start = make_nested(prepared, train_data, options.calibration);
  NestedTrainingNetwork network(prepared, start, leading);
  const Dataset samples = train_data.sample(std::min(statistics_samples, train_data.size()), 1);
  const auto measure = [&](const Precision& precision) {
    network.measure_statistics(precision, samples, batch_options(training));
  };
  TrainingTask task{train_data, test_data, {},
                    training,   settings,  network.trained(std::max(1e-6, input_size(train_data)))};
  task.passes = sandwich(network, options);
  task.tests.clear();
  for (const Precision precision : {Precision{8, 8}, Precision{6, 6}, Precision{4, 4}}) {
    const bool first = task.tests.empty();
    task.tests.push_back({fmt::format("_{}x{}", precision.weights, precision.activations), [=, &network] {
                            if (first) measure(leading);  // whose variances the others use
                            if (!first || precision != leading) measure(precision);
                            network.run_at(precision);
                          }});
  }
  task.constrain = [&] { network.keep_steps_up(); };
  run_training(network.executor(), task);
  measure(leading);
  return network.finish();
}

}  // namespace trimtab
