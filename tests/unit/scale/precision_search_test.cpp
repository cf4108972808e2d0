#include "scale/precision_search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/random.h"
#include "learn/nested_grid.h"
#include "program/evaluate.h"
#include "scale/network_energy.h"

namespace trimtab {
namespace {

constexpr std::int64_t classes = 5;
const std::vector<int> weight_choices{8, 6, 4, 3, 2};
const std::vector<int> activation_choices{8, 6, 4};

Dataset pixels(std::int64_t count) {
  Random random(1);
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = {3, 8, 8};
  for (std::int64_t i = 0; i < count; ++i) {
    for (int p = 0; p < 192; ++p) values.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
    data.labels.push_back(i % classes);
  }
  for (std::int64_t c = 0; c < classes; ++c) data.classes.push_back(std::to_string(c));
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

Tensor random_tensor(std::vector<std::int64_t> shape, double size, Random& random) {
  Tensor tensor{std::move(shape), {}};
  for (std::int64_t i = 0; i < element_count(tensor.shape); ++i) {
    tensor.data.push_back(static_cast<float>(size * random.normal()));
  }
  return tensor;
}

/// Two convolutions with Relu and a linear layer, of random weights: three layers' weights and two outputs can lose
/// bits.
Graph network() {
  Random random(7);
  Graph graph;
  graph.name = "net";
  graph.values = {{"in", {3, 8, 8}}, {"c1", {4, 8, 8}}, {"r1", {4, 8, 8}}, {"c2", {4, 8, 8}},
                  {"r2", {4, 8, 8}}, {"flat", {256}},   {"out", {classes}}};
  graph.input = 0;
  graph.output = 6;
  for (const std::int64_t inputs : {3, 4}) {
    Conv conv;
    conv.weight = random_tensor({4, inputs, 3, 3}, inputs == 3 ? 0.005 : 0.3, random);
    conv.padding = {1, 1, 1, 1};
    const ValueId from = inputs == 3 ? 0 : 2;
    graph.nodes.push_back({"conv" + std::to_string(inputs), conv, {from}, from + 1});
    graph.nodes.push_back({"relu" + std::to_string(inputs), Relu{}, {from + 1}, from + 2});
  }
  graph.nodes.push_back({"flat", Reshape{{256}}, {4}, 5});
  graph.nodes.push_back({"fc", Linear{random_tensor({classes, 256}, 0.1, random), {}}, {5}, 6});
  return graph;
}

LevelMeter meter_of(const Dataset& data, const NestedSimulation& simulation) {
  Level level{"class", data.classes, {}};
  for (std::int64_t c = 0; c < classes; ++c) level.class_of.push_back(c);
  return {choose_task({}, {{classes}, false}, data, {}), {level}, data, simulation.float_outputs()};
}

/// Against all the plans there are.
TEST(SearchScale, PolishingFindsMostOfTheFrontOfASmallNetwork) {
  const Dataset data = pixels(40);
  const NestedNetwork scalable = make_nested(network(), data, {});
  NestedSimulation simulation(scalable, data, true, 1);
  const NetworkEnergy energy(scalable.graph, load_energy_table("bitblade"), false);
  const LevelMeter meter = meter_of(data, simulation);

  ScaleSearchOptions options;
  options.weight_bits = weight_choices;
  options.activation_bits = activation_choices;
  options.most_lost = 101;  // to the end
  const auto descent = search_scale(scalable, simulation, meter, energy, options).at(0);
  std::int64_t measured = 0;
  options.progress = [&](std::int64_t done, const std::string& /*what*/) { measured = done; };
  options.polish = 640;
  const auto polished = search_scale(scalable, simulation, meter, energy, options).at(0);
  EXPECT_LE(measured, 640 + 100);

  // every plan: bits of three layers' weights and of two outputs
  const double most = descent.back().divergence;
  const auto probabilities = [&](const std::vector<Precision>& precision) {
    return softmax_rows(simulation.outputs(precision), classes);
  };
  const std::vector<float> full = probabilities(descent.front().precision);
  std::int64_t on_front = 0;
  std::int64_t met = 0;
  std::int64_t met_by_descent = 0;
  std::vector<ScaleStep> all;
  for (const int first : weight_choices) {
    for (const int second : weight_choices) {
      for (const int third : weight_choices) {
        for (const int low : activation_choices) {
          for (const int high : activation_choices) {
            ScaleStep step{descent.front().precision, 0, 0};
            step.precision.at(0) = {first, low};
            step.precision.at(1) = {second, high};
            step.precision.back().weights = third;
            // a Reshape's output is what comes in
            for (std::size_t l = 2; l + 1 < step.precision.size(); ++l) step.precision[l].activations = high;
            step.energy_nj = energy.at(step.precision).total();
            step.divergence = mean_divergence(full, probabilities(step.precision), classes);
            all.push_back(std::move(step));
          }
        }
      }
    }
  }
  const auto beats = [](const ScaleStep& a, const ScaleStep& b) {
    return a.energy_nj <= b.energy_nj + 1e-9 && a.divergence <= b.divergence + 1e-9;
  };
  for (const ScaleStep& step : all) {
    const bool beaten = std::any_of(all.begin(), all.end(), [&](const ScaleStep& other) {
      return beats(other, step) &&
             (other.energy_nj < step.energy_nj - 1e-9 || other.divergence < step.divergence - 1e-9);
    });
    if (beaten || step.divergence > most) continue;
    ++on_front;
    const auto meets = [&](const ScaleStep& found) { return beats(found, step); };
    met += std::any_of(polished.begin(), polished.end(), meets) ? 1 : 0;
    met_by_descent += std::any_of(descent.begin(), descent.end(), meets) ? 1 : 0;
  }
  EXPECT_GE(on_front, 10);
  // of 1125 plans at most 640 are measured, with a population smaller than the front
  EXPECT_GE(met, on_front * 3 / 4);
  EXPECT_GE(met, 2 * met_by_descent) << met_by_descent;
  EXPECT_TRUE(std::is_sorted(polished.begin(), polished.end(),
                             [](const ScaleStep& a, const ScaleStep& b) { return a.energy_nj > b.energy_nj; }));
}

TEST(SearchScale, RefusesTooFewMeasurementsToPolishWith) {
  const Dataset data = pixels(8);
  const NestedNetwork scalable = make_nested(network(), data, {});
  NestedSimulation simulation(scalable, data, true, 1);
  const NetworkEnergy energy(scalable.graph, load_energy_table("bitblade"), false);
  ScaleSearchOptions options;
  options.polish = 10;
  const LevelMeter meter = meter_of(data, simulation);
  EXPECT_THROW((void)search_scale(scalable, simulation, meter, energy, options), Error);
}

}  // namespace
}  // namespace trimtab
