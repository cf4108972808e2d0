// The loss of a channel or of bits, against closed forms, finite differences and plain evaluation; pruning with
// recovery.

#include "learn/shrink.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "learn/evaluate.h"
#include "learn/inference.h"
#include "learn/quantization_aware.h"
#include "learn/quantized_simulation.h"
#include "learn/recover.h"
#include "learn/sensitivity.h"
#include "learn/weight_grid.h"
#include "plan/prune.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

/// Two convolutions and a Linear, without normalization.
Graph plain_network(std::uint64_t seed) {
  Random random(seed);
  test::GraphMaker maker({2, 6, 6});
  Conv first = test::random_conv(2, 6, 3, 3, 1, random);
  for (float& weight : first.weight.data) weight *= 0.003F;  // raw pixels
  ValueId x = maker.add(Relu{}, {maker.add(first, {0})});
  Conv second = test::random_conv(6, 8, 3, 3, 1, random);
  for (float& weight : second.weight.data) weight *= 0.25F;  // about unit gain
  x = maker.add(Relu{}, {maker.add(second, {x})});
  x = maker.add(GlobalAveragePool{false}, {x});
  maker.add(Linear{test::random_tensor({3, 8}, random), test::random_tensor({3}, random)}, {x});
  return maker.graph();
}

/// Pictures whose classes differ in tone.
Dataset pictures(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = {2, 6, 6};
  data.classes = {"a", "b", "c"};
  for (std::int64_t i = 0; i < count; ++i) {
    data.labels.push_back(i % 3);
    for (int k = 0; k < 72; ++k) {
      const std::int64_t tone = k < 36 ? 40 + 60 * (i % 3) : 200 - 60 * (i % 3);
      values.push_back(static_cast<std::uint8_t>(random.integer(tone - 40, tone + 40)));
    }
  }
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

double loss_of(const Graph& graph, const Dataset& data) {
  EvaluateOptions options;
  options.threads = 1;
  return evaluate(graph, data, {}, options).at(Measure::loss);
}

TEST(Importance, TaylorIsTheSquaredSlopeOfAGate) {
  const Graph graph = plain_network(1);
  const Dataset data = pictures(4, 2);
  const ChannelGroups groups = find_channel_groups(graph);
  ImportanceOptions options;
  options.threads = 1;
  const std::vector<double> importance = unit_importance(graph, groups, data, options);
  ASSERT_EQ(groups.groups.size(), 2U);
  for (const ChannelGroup& group : groups.groups) {
    for (const UnitId unit : group.units) {
      const ChannelUnit::Filter filter = groups.units[static_cast<std::size_t>(unit)].filters.at(0);
      double expected = 0;
      for (std::int64_t i = 0; i < data.size(); ++i) {
        // behind a convolution alone there is only a ReLU: a gate on its output is a factor on its weights and bias
        const auto gated = [&](float gate) {
          Graph changed = graph;
          auto& conv = std::get<Conv>(changed.nodes[static_cast<std::size_t>(filter.node)].op);
          const std::size_t size = conv.weight.data.size() / static_cast<std::size_t>(conv.weight.shape[0]);
          for (std::size_t k = 0; k < size; ++k)
            conv.weight.data[static_cast<std::size_t>(filter.channel) * size + k] *= gate;
          conv.bias.data[static_cast<std::size_t>(filter.channel)] *= gate;
          return loss_of(changed, data.slice(i, 1));
        };
        const double slope = (gated(1.01F) - gated(0.99F)) / 0.02;
        expected += slope * slope / static_cast<double>(data.size());
      }
      EXPECT_NEAR(importance[static_cast<std::size_t>(unit)], expected, 0.02 * expected + 1e-5);
    }
  }
}

TEST(Importance, MagnitudesAreRelativeToTheirLayer) {
  const Graph graph = plain_network(1);
  const ChannelGroups groups = find_channel_groups(graph);
  ImportanceOptions options;
  options.measure = ImportanceMeasure::l1;
  const std::vector<double> importance = unit_importance(graph, groups, {}, options);
  for (const ChannelGroup& group : groups.groups) {
    double sum = 0;
    for (const UnitId unit : group.units) sum += importance[static_cast<std::size_t>(unit)];
    EXPECT_NEAR(sum, static_cast<double>(group.units.size()), 1e-6);
  }
  EXPECT_EQ(parse_importance("batch-norm"), ImportanceMeasure::batch_norm);
  EXPECT_THROW((void)parse_importance("luck"), Error);
}

TEST(Widths, TheShareOfWeightsIsKept) {
  const Graph graph = plain_network(1);
  const ChannelGroups groups = find_channel_groups(graph);
  std::vector<double> importance;
  Random random(3);
  for (std::size_t i = 0; i < groups.units.size(); ++i) importance.push_back(random.uniform(1, 2));
  const auto weights = [](const Graph& network) {
    std::int64_t count = 0;
    for (const Node& node : network.nodes) count += parameter_count(node);
    return static_cast<double>(count);
  };
  for (const double share : {0.8, 0.6, 0.4}) {
    const std::vector<std::int64_t> kept = allocate_widths(graph, groups, importance, share, 1);
    const Graph pruned = prune(graph, groups, most_important(groups, importance, kept));
    EXPECT_LE(weights(pruned), share * weights(graph) + 1);
    EXPECT_GE(weights(pruned), (share - 0.2) * weights(graph));
  }
  EXPECT_EQ(uniform_widths(groups, 0.5, 1), (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(uniform_widths(groups, 0.5, 4), (std::vector<std::int64_t>{4, 4}));
}

TEST(Shrink, RecoversWhatPruningTook) {
  const Dataset train_data = pictures(240, 3);
  TrainOptions options = recovery_options({});
  options.augmentation = {};
  options.epochs = 20;
  options.batch_size = 16;
  options.learning_rate = 0.003;
  options.threads = 1;
  const Graph trained = recover(plain_network(1), nullptr, train_data, {}, options).graph;
  const double before = loss_of(trained, train_data);
  const ChannelGroups groups = find_channel_groups(trained);
  const std::vector<std::int64_t> kept{3, 3};
  ShrinkOptions shrinking;
  shrinking.importance.threads = 1;
  shrinking.recovery = options;
  shrinking.recovery.epochs = 0;
  const Graph only_pruned = shrink(trained, kept, train_data, {}, shrinking);
  shrinking.recovery.epochs = 6;
  const Graph recovered = shrink(trained, kept, train_data, {}, shrinking);
  for (const ChannelGroup& group : find_channel_groups(recovered).groups) EXPECT_EQ(group.units.size(), 3U);
  EXPECT_LT(loss_of(recovered, train_data), loss_of(only_pruned, train_data));
  EXPECT_LT(before, 1.0);  // log 3 is chance
  const Graph again = shrink(trained, kept, train_data, {}, shrinking);
  EXPECT_EQ(std::get<Linear>(again.nodes.back().op).weight, std::get<Linear>(recovered.nodes.back().op).weight);

  // and goes on under a plan, with the wide network as the teacher
  QatOptions quantized;
  quantized.training = options;
  quantized.training.epochs = 4;
  quantized.teacher = std::make_shared<const Graph>(trained);
  Graph latent;
  const QuantizedNetwork network =
      train_quantized(recovered, uniform_plan(recovered, 4, 8), train_data, {}, quantized, &latent);
  EXPECT_GT(QuantizedSimulation(network).score(train_data).at(Measure::top1) / 100, 0.5);
  EXPECT_EQ(latent.nodes.size(), recovered.nodes.size());
  EXPECT_LT(loss_of(latent, train_data), 1.0);
}

/// Mean divergence of the softmax of `graph` from that of `reference`, in plain loops.
double divergence(const Graph& reference, const Graph& graph, const Dataset& data) {
  const std::int64_t size = element_count(data.shape);
  std::vector<float> inputs(static_cast<std::size_t>(size * data.size()));
  for (std::int64_t i = 0; i < data.size(); ++i)
    data.read(i, {}, std::span(inputs).subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(size)));
  const auto probabilities = [&](const Graph& network) {
    const std::vector<float> logits = FloatNetwork(network, "cpu", 1).run(inputs, data.size());
    std::vector<double> result;
    for (std::size_t row = 0; row < logits.size(); row += 3) {
      double sum = 0;
      for (std::size_t k = row; k < row + 3; ++k) sum += std::exp(static_cast<double>(logits[k]));
      for (std::size_t k = row; k < row + 3; ++k) result.push_back(std::exp(static_cast<double>(logits[k])) / sum);
    }
    return result;
  };
  const std::vector<double> p = probabilities(reference);
  const std::vector<double> q = probabilities(graph);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  return sum / static_cast<double>(data.size());
}

TEST(Sensitivity, IsTheDivergenceOfOneQuantizedLayer) {
  const Graph graph = plain_network(4);
  const Dataset data = pictures(30, 5);
  SensitivityOptions options;
  options.weight_bits = {2, 4, 8};
  options.threads = 1;
  const std::vector<LayerSensitivity> measured = measure_sensitivities(graph, data, options);
  int layers = 0;
  for (const LayerSensitivity& layer : measured) {
    if (layer.weight_count == 0) continue;
    ++layers;
    for (const int bits : options.weight_bits) {
      Graph changed = graph;
      for (Node& node : changed.nodes) {
        if (node.name != layer.layer) continue;
        Tensor& weight =
            std::holds_alternative<Conv>(node.op) ? std::get<Conv>(node.op).weight : std::get<Linear>(node.op).weight;
        round_to_grid(weight, make_weight_grid(weight, {}, 1, bits, RangeMethod::mse));
      }
      const double expected = divergence(graph, changed, data);
      EXPECT_NEAR(layer.weights.at(bits), expected, 0.01 * expected + 1e-5) << layer.layer << ", " << bits;
    }
    EXPECT_GT(layer.weights.at(2), layer.weights.at(8));
  }
  EXPECT_EQ(layers, 3);
  EXPECT_GT(measured[0].activations.at(2), measured[0].activations.at(8));
}

TEST(Sensitivity, FisherOfASoftmaxRegression) {
  Random random(1);
  test::GraphMaker maker({2, 6, 6});
  const ValueId flat = maker.add(Reshape{{72}}, {0});
  Tensor weight = test::random_tensor({3, 72}, random, -0.01, 0.01);
  maker.add(Linear{weight, test::random_tensor({3}, random)}, {flat});
  const Dataset data = pictures(1, 7);
  SensitivityOptions options;
  options.measure = SensitivityMeasure::fisher;
  options.weight_bits = {3};
  options.threads = 1;
  const std::vector<LayerSensitivity> measured = measure_sensitivities(maker.graph(), data, options);

  const auto& linear = std::get<Linear>(maker.graph().nodes.back().op);
  std::vector<double> logits;
  for (std::size_t o = 0; o < 3; ++o) {
    double sum = linear.bias.data[o];
    for (std::size_t i = 0; i < 72; ++i) sum += static_cast<double>(weight.data[o * 72 + i]) * data.pixels[0][i];
    logits.push_back(sum);
  }
  double total = 0;
  for (const double logit : logits) total += std::exp(logit);
  Tensor rounded = weight;
  round_to_grid(rounded, make_weight_grid(weight, {}, 1, 3, RangeMethod::mse));
  double expected = 0;
  for (std::size_t o = 0; o < 3; ++o) {
    const double residual = std::exp(logits[o]) / total - (static_cast<std::int64_t>(o) == data.labels[0] ? 1 : 0);
    for (std::size_t i = 0; i < 72; ++i) {
      const double error = static_cast<double>(rounded.data[o * 72 + i]) - static_cast<double>(weight.data[o * 72 + i]);
      expected += 0.5 * std::pow(residual * data.pixels[0][i] * error, 2);
    }
  }
  EXPECT_NEAR(measured.back().weights.at(3), expected, 1e-3 * expected);
}

}  // namespace
}  // namespace trimtab
