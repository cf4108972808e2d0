#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "learn/nested_grid.h"
#include "program/evaluate.h"
#include "scale/point_choice.h"
#include "scale/result.h"
#include "scale/scale.h"
#include "support/naive_interpreter.h"
#include "support/task_networks.h"

// Operating points of networks whose answers are no classes of one sample.
namespace trimtab {
namespace {

using test::TaskNetwork;

ScaleOptions options_of(TaskKind kind) {
  ScaleOptions options;
  options.table = load_energy_table("bitblade");
  options.task.kind = kind;
  options.points_per_level = 6;
  options.uniform = {{4, 4}};
  options.search_samples = 60;
  options.search.most_lost = 60;
  options.threads = options.calibration.threads = 1;
  return options;
}

/// The samples as naive_measure takes them.
double naive_measure_of(const TaskNetwork& network, TaskKind kind, const Dataset& data,
                        const std::vector<float>& outputs) {
  return test::naive_measure(kind, preprocess_features(data, network.preprocessing()), outputs);
}

std::vector<float> naive_outputs(const Program& program, std::size_t point, const Dataset& data) {
  const Program alone = program_at(program, point);
  std::vector<float> outputs;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::vector<float> own = naive_answer(alone, data, i);
    outputs.insert(outputs.end(), own.begin(), own.end());
  }
  return outputs;
}

class ScaleTasks : public testing::TestWithParam<TaskKind> {};

/// The integers by their definition, the measure by its own, and the choice by trying every ceiling of a loss that
/// never falls with the energy (the max-min formula of isotonic regression).
TEST_P(ScaleTasks, ChoosesThePointThatBruteForceChooses) {
  const TaskKind kind = GetParam();
  const TaskNetwork network(kind);
  const Dataset tune = network.samples(80, 2);
  const Dataset test = network.samples(80, 3);
  const ScaleResult result = scale(network.graph(), {}, {}, tune, test, network.preprocessing(), options_of(kind));
  ASSERT_EQ(result.level_names, std::vector<std::string>{name_of(kind)});
  EXPECT_TRUE(result.levels.empty());
  EXPECT_TRUE(result.program.levels.empty());
  const Measure measure = point_measure(result.task);
  EXPECT_EQ(result.program.measure, measure);
  const bool is_error = kind == TaskKind::regression;
  const std::vector<float> floats = FloatNetwork(network.graph(), "cpu", 1).run(tune, network.preprocessing());
  const double before = naive_measure_of(network, kind, tune, floats);
  EXPECT_NEAR(result.tune_float[0].score.at(measure), before, 1e-4 * before);

  ASSERT_GE(result.points.size(), 4U);
  std::vector<std::pair<double, double>> lost;  // energy, loss: of the points that count, from the most energy
  std::vector<std::size_t> numbers;
  for (std::size_t k = 0; k < result.points.size(); ++k) {
    const LevelMeasurement& measured = result.points[k].measured.at(0);
    const double on_test = naive_measure_of(network, kind, test, naive_outputs(result.program, k, test));
    const double on_tune = naive_measure_of(network, kind, tune, naive_outputs(result.program, k, tune));
    EXPECT_NEAR(measured.test.score.at(measure), on_test, 1e-5 * on_test) << k;
    EXPECT_NEAR(measured.tune.score.at(measure), on_tune, 1e-5 * on_tune) << k;
    EXPECT_EQ(result.program.points[k].quality, std::vector<double>{measured.test.score.at(measure)});
    if (result.points[k].uniform) continue;
    const double percent = kind == TaskKind::segmentation ? 1 : 100;
    lost.emplace_back(result.points[k].energy.total(),
                      is_error ? 100 * (on_tune / before - 1) : percent * (before - on_tune));
    numbers.push_back(k);
  }
  ASSERT_TRUE(std::ranges::is_sorted(lost, std::greater<>(), &std::pair<double, double>::first));
  std::vector<double> smoothed;
  for (std::size_t i = 0; i < lost.size(); ++i) {
    double largest = -1e300;
    for (std::size_t from = 0; from <= i; ++from) {
      double least = 1e300;
      double sum = 0;
      for (std::size_t to = from; to < lost.size(); ++to) {
        sum += lost[to].second;
        if (to >= i) least = std::min(least, sum / static_cast<double>(to - from + 1));
      }
      largest = std::max(largest, least);
    }
    smoothed.push_back(largest);
  }
  EXPECT_GT(smoothed.back(), smoothed.front()) << "fewer bits are to cost something here";
  for (const double most : {-1.0, 0.01, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0}) {
    std::size_t chosen = 0;
    for (std::size_t i = 0; i < smoothed.size(); ++i) {
      if (smoothed[i] <= most) chosen = numbers[i];
    }
    EXPECT_EQ(choose_point(result, 0, most), chosen) << most;
  }
}

/// Anomalies are reconstructions without labels.
class UnlabelledScaleTasks : public ScaleTasks {};

TEST_P(UnlabelledScaleTasks, CompareWithTheFloatNetwork) {
  const TaskKind kind = GetParam();
  const TaskNetwork network(kind);
  const Dataset tune = without_answers(network.samples(60, 2));
  const Dataset test = without_answers(network.samples(60, 3));
  ScaleOptions options = options_of(kind);
  const ScaleResult result = scale(network.graph(), {}, {}, tune, test, network.preprocessing(), options);
  EXPECT_FALSE(result.task.labelled);
  const Measure measure = point_measure(result.task);
  EXPECT_EQ(measure, kind == TaskKind::regression ? Measure::sqnr_db : Measure::agreement);
  const std::vector<float> floats = FloatNetwork(network.graph(), "cpu", 1).run(test, network.preprocessing());
  for (std::size_t k = 0; k < result.points.size(); ++k) {
    const std::vector<float> outputs = naive_outputs(result.program, k, test);
    double signal = 0;
    double noise = 0;
    double same = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      signal += std::pow(floats[i], 2);
      noise += std::pow(static_cast<double>(outputs[i]) - floats[i], 2);
      same += (outputs[i] > 0) == (floats[i] > 0) ? 1 : 0;
    }
    const LevelMeasurement& measured = result.points[k].measured[0];
    const double value = measured.test.score.at(measure);
    if (kind == TaskKind::regression) {
      EXPECT_NEAR(value, 10 * std::log10(signal / noise), 1e-3);
      EXPECT_NEAR(measured.lost.mean, 100 * noise / signal, 1e-3);
      continue;
    }
    EXPECT_NEAR(measured.lost.mean, 100 - value, 1e-9);
    if (kind == TaskKind::binary) {
      EXPECT_NEAR(value, 100 * same / static_cast<double>(outputs.size()), 1e-9);
    }
  }
  options.training.training.epochs = 1;
  options.train = true;
  EXPECT_THROW((void)scale(network.graph(), {}, tune, tune, test, network.preprocessing(), options), Error);
}

/// How far outputs are from others, by definition: Kullback and Leibler's of probabilities, of numbers half the squared
/// error over the mean square.
double naive_divergence(TaskKind kind, const std::vector<float>& from, const std::vector<float>& to,
                        std::size_t samples) {
  const auto kl = [](const std::vector<double>& p, const std::vector<double>& q) {
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
    return sum;
  };
  double sum = 0;
  if (kind == TaskKind::binary) {
    const auto sides = [](float x) { return std::vector<double>{1 / (1 + std::exp(-x)), 1 / (1 + std::exp(x))}; };
    for (std::size_t i = 0; i < from.size(); ++i) sum += kl(sides(from[i]), sides(to[i]));
    return sum / static_cast<double>(samples);
  }
  if (kind == TaskKind::segmentation) {
    const std::size_t pixels = from.size() / samples / 3;
    const auto softmax = [&](const std::vector<float>& outputs, std::size_t i) {
      const std::size_t first = i / pixels * 3 * pixels + i % pixels;
      std::vector<double> shares;
      for (std::size_t c = 0; c < 3; ++c) shares.push_back(std::exp(double{outputs[first + c * pixels]}));
      const double all = std::accumulate(shares.begin(), shares.end(), 0.0);
      for (double& share : shares) share /= all;
      return shares;
    };
    for (std::size_t i = 0; i < samples * pixels; ++i) sum += kl(softmax(from, i), softmax(to, i));
    return sum / static_cast<double>(samples * pixels);
  }
  double power = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    sum += std::pow(static_cast<double>(from[i]) - to[i], 2);
    power += std::pow(from[i], 2);
  }
  return sum / (2 * power);
}

/// All plans of these bits: by layer with weights, and by group of activations.
std::vector<std::vector<Precision>> all_plans(const NestedNetwork& network, const ScaleSearchOptions& options) {
  const std::vector<Layer> layers = fuse_layers(network.graph);
  const std::vector<int> groups = activation_groups(network.graph, layers);
  std::vector<std::vector<Precision>> plans{std::vector<Precision>(layers.size())};
  const auto multiply = [&](const std::vector<int>& bits, const auto& set) {
    std::vector<std::vector<Precision>> more;
    for (const std::vector<Precision>& plan : plans) {
      for (const int b : bits) set(more.emplace_back(plan), b);
    }
    plans = std::move(more);
  };
  for (std::size_t l = 0; l < layers.size(); ++l) {
    if (network.weights[static_cast<std::size_t>(layers[l].node)])
      multiply(options.weight_bits, [&](std::vector<Precision>& plan, int b) { plan[l].weights = b; });
  }
  for (int g = 0; g <= *std::ranges::max_element(groups); ++g) {
    multiply(options.activation_bits, [&](std::vector<Precision>& plan, int b) {
      for (std::size_t l = 0; l < layers.size(); ++l) {
        if (groups[l] == g) plan[l].activations = b;
      }
    });
  }
  return plans;
}

TEST_P(ScaleTasks, SearchFindsNearlyTheFrontOfAllPlans) {
  const TaskKind kind = GetParam();
  const TaskNetwork tiny(kind);
  const Dataset raw = tiny.samples(40, 2);
  const Preprocessing folded = raw.is_pixels() ? tiny.preprocessing() : Preprocessing{};
  const Graph prepared = prepare_for_deployment(tiny.graph(), folded);
  const Dataset data = preprocess_features(raw, tiny.preprocessing());
  const NestedNetwork network = make_nested(prepared, data, {});
  NestedSimulation simulation(network, data, true, 1);
  TaskChoice choice;
  choice.kind = kind;
  const Task task = choose_task(choice, output_of(tiny.graph()), data, folded);
  const LevelMeter meter(task, {}, data, simulation.float_outputs());
  const NetworkEnergy energy(network.graph, load_energy_table("bitblade"), false);
  ScaleSearchOptions options;
  options.weight_bits = {8, 5, 4, 2};
  options.activation_bits = {8, 4};
  options.most_lost = 1e6;  // to the end
  options.polish = 640;
  const std::vector<ScaleStep> found = search_scale(network, simulation, meter, energy, options).at(0);
  EXPECT_TRUE(std::ranges::is_sorted(found, std::greater<>(), &ScaleStep::energy_nj));

  std::vector<ScaleStep> all;
  const std::vector<std::vector<Precision>> plans = all_plans(network, options);
  const std::vector<float> full = simulation.outputs(plans.front());
  for (const std::vector<Precision>& plan : plans) {
    const std::vector<float> outputs = simulation.outputs(plan);
    all.push_back({plan, energy.at(plan).total(), naive_divergence(kind, full, outputs, 40)});
  }
  double most = 0;
  for (const ScaleStep& step : found) {
    const auto same = std::ranges::find(all, step.precision, &ScaleStep::precision);
    ASSERT_NE(same, all.end());
    EXPECT_NEAR(step.energy_nj, same->energy_nj, 1e-9);
    EXPECT_NEAR(step.divergence, same->divergence, 1e-5 * same->divergence + 1e-7);
    most = std::max(most, step.divergence);
  }
  const auto beats = [](const ScaleStep& a, const ScaleStep& b) {
    return a.energy_nj <= b.energy_nj + 1e-9 && a.divergence <= b.divergence * (1 + 1e-5) + 1e-7;
  };
  std::int64_t on_front = 0;
  std::int64_t met = 0;
  for (const ScaleStep& step : all) {
    const bool beaten =
        std::ranges::any_of(all, [&](const ScaleStep& other) { return beats(other, step) && !beats(step, other); });
    if (beaten || step.divergence > most) continue;
    ++on_front;
    met += std::ranges::any_of(found, [&](const ScaleStep& other) { return beats(other, step); }) ? 1 : 0;
  }
  EXPECT_GE(on_front, 5);
  EXPECT_GE(met, on_front * 3 / 4);
}

INSTANTIATE_TEST_SUITE_P(Tasks, UnlabelledScaleTasks,
                         testing::Values(TaskKind::regression, TaskKind::binary, TaskKind::segmentation),
                         [](const auto& instance) { return name_of(instance.param); });
INSTANTIATE_TEST_SUITE_P(Tasks, ScaleTasks, testing::ValuesIn(test::tasks_without_levels),
                         [](const auto& instance) { return name_of(instance.param); });

}  // namespace
}  // namespace trimtab
