#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "program/check.h"
#include "program/execute.h"
#include "program/lower.h"
#include "trimtab/convolution_nested.h"
#include "trimtab/operating_points.h"

namespace trimtab {
namespace {

/// A network with a branch that is added and one that is concatenated, a depthwise layer and an average pool, with
/// random weights and grids that its values fill.
class Network {
 public:
  explicit Network(std::uint64_t seed) : random_(seed) {
    Graph& graph = network_.graph;
    graph.name = "net";
    graph.input = add_value("in", {3, 9, 9});
    network_.values[0] = NestedActivationGrid{{1, 8, false}};
    const ValueId a = conv("a", graph.input, 8, 3, 1, true, 0.02F);
    const ValueId b = conv("b", a, 8, 3, 8, true, 0.02F);
    const ValueId sum = node("sum", Add{}, {a, b}, {8, 9, 9}, {0.04F, 8, false});
    const ValueId c = conv("c", sum, 4, 1, 1, true, 0.03F);
    const ValueId d = conv("d", sum, 4, 3, 1, true, 0.03F);
    const ValueId joined = node("joined", Concat{}, {c, d}, {8, 9, 9}, {0.03F, 8, false});
    const ValueId e = conv("e", joined, 6, 1, 1, false, 0.03F, true);
    const ValueId mean = node("mean", GlobalAveragePool{false}, {e}, {6}, {0.01F, 8, true});
    Linear linear;
    linear.weight = {{5, 6}, {}};
    graph.output = weighted("out", linear, mean, {5}, {0.0005F, 16, true});
    validate(graph);
  }

  [[nodiscard]] const NestedNetwork& network() const { return network_; }

  [[nodiscard]] OperatingPoint point(int weight_bits, int activation_bits) const {
    OperatingPoint point;
    point.precision.assign(fuse_layers(network_.graph).size(), {weight_bits, activation_bits});
    for (const Node& node : network_.graph.nodes) {
      point.bias.emplace_back();
      if (const auto* conv = std::get_if<Conv>(&node.op)) point.bias.back() = conv->bias.data;
      if (const auto* linear = std::get_if<Linear>(&node.op)) point.bias.back() = linear->bias.data;
    }
    return point;
  }

 private:
  ValueId add_value(const std::string& name, Shape shape) {
    network_.graph.values.push_back({name, std::move(shape)});
    network_.values.emplace_back();
    return static_cast<ValueId>(network_.graph.values.size() - 1);
  }

  ValueId node(const std::string& name, Operator op, std::vector<ValueId> inputs, Shape shape,
               const ActivationGrid& grid) {
    const ValueId output = add_value(name, std::move(shape));
    network_.values[static_cast<std::size_t>(output)] = NestedActivationGrid{grid};
    network_.graph.nodes.push_back({name, std::move(op), std::move(inputs), output});
    network_.weights.emplace_back();
    return output;
  }

  template <typename Weighted>
  ValueId weighted(const std::string& name, Weighted op, ValueId input, Shape shape, const ActivationGrid& grid) {
    StoredWeights stored;
    const std::int64_t outputs = op.weight.shape[0];
    const std::int64_t size = element_count(op.weight.shape) / outputs;
    const float in = network_.values[static_cast<std::size_t>(input)]->grid.scale * (input == 0 ? 60.0F : 100.0F);
    for (std::int64_t o = 0; o < outputs; ++o) {
      // outputs of about half of their range
      stored.scale.push_back(grid.scale * static_cast<float>(grid.bits == 8 ? 60 : 8000) /
                             (in * 40 * std::sqrt(static_cast<float>(size))) *
                             static_cast<float>(random_.uniform(0.7, 1.3)));
      op.bias.data.push_back(grid.scale * static_cast<float>(random_.uniform(-10, 30)));
      for (std::int64_t i = 0; i < size; ++i) {
        stored.digits.push_back(static_cast<std::int8_t>(random_.integer(-128, 127)));
        op.weight.data.push_back(stored.weight(stored.digits.size() - 1 - static_cast<std::size_t>(o * size), 8));
      }
    }
    op.bias.shape = {outputs};
    const ValueId output = node(name, std::move(op), {input}, std::move(shape), grid);
    network_.weights.back() = std::move(stored);
    return output;
  }

  ValueId conv(const std::string& name, ValueId input, std::int64_t outputs, std::int64_t kernel, std::int64_t groups,
               bool relu, float scale, bool is_signed = false) {
    const std::int64_t inputs = network_.graph.shape_of(input)[0];
    Conv op;
    op.weight = {{outputs, inputs / groups, kernel, kernel}, {}};
    op.groups = groups;
    op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    if (input == 0) op.padding_value = {{3}, {100, 110, 120}};
    const ValueId made = weighted(name, op, input, {outputs, 9, 9}, {scale, 8, is_signed});
    if (!relu) return made;
    network_.values[static_cast<std::size_t>(made)].reset();
    return node(name + ".relu", Relu{}, {made}, {outputs, 9, 9}, {scale, 8, is_signed});
  }

  NestedNetwork network_;
  Random random_;
};

std::vector<std::uint8_t> random_inputs(std::int64_t bytes, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::uint8_t> inputs;
  for (std::int64_t i = 0; i < bytes; ++i) inputs.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
  return inputs;
}

std::vector<std::int32_t> run(const ProgramRunner& runner, std::int64_t samples) {
  std::vector<std::int32_t> outputs(static_cast<std::size_t>(samples * runner.output_elements()));
  runner.run(random_inputs(samples * runner.input_bytes(), 7), samples, outputs);
  return outputs;
}

const std::vector<std::pair<int, int>> point_bits{{8, 8}, {6, 8}, {7, 4}, {5, 8}, {4, 4}, {3, 8}, {2, 4}};

Program all_points(const Network& network) {
  std::vector<OperatingPoint> points;
  for (const auto& [weights, activations] : point_bits) points.push_back(network.point(weights, activations));
  return lower(network.network(), points, {}, {});
}

TEST(NestedProgram, ComputesWhatTheNetworkOfItsPrecisionComputes) {
  const Network network(1);
  const Program program = all_points(network);
  for (std::size_t k = 0; k < point_bits.size(); ++k) {
    if (point_bits[k].first == 8) continue;  // odd integers of 9 bits, which a plain program cannot hold
    const std::vector<std::int32_t> got = run({program, schedule(program, Core::generic), k}, 20);
    // The same integers by another way: plain weights, buffers as small as the bits, multipliers of their own.
    const Program plain =
        lower(at_point(network.network(), network.point(point_bits[k].first, point_bits[k].second)), {}, {});
    const std::vector<std::int32_t> wanted = run(ProgramRunner(plain, Core::generic), 20);
    ASSERT_EQ(got.size(), wanted.size());
    std::int64_t different = 0;
    std::int64_t spread = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      different += got[i] != wanted[i] ? 1 : 0;
      spread += std::abs(got[i]) > 100 ? 1 : 0;
    }
    // Multipliers of other precision may round a number that lies within 1e-6 of a half to its other side.
    EXPECT_LE(different, 5) << point_bits[k].first << " x " << point_bits[k].second;
    EXPECT_GT(spread, 50);  // the outputs say something
  }
}

TEST(NestedProgram, HostAndPortableKernelsAgreeAtEveryPoint) {
  const Program program = all_points(Network(2));
  std::vector<std::vector<std::int32_t>> outputs;
  for (std::size_t k = 0; k < point_bits.size(); ++k) {
    outputs.push_back(run({program, schedule(program, Core::host), k}, 20));
    for (const Core core : {Core::generic, Core::cortex_m3, Core::cortex_m4}) {
      EXPECT_EQ(outputs.back(), run({program, schedule(program, core), k}, 20)) << "point " << k;
    }
  }
  EXPECT_NE(outputs[0], outputs[4]);
}

TEST(NestedProgram, PointsShareWeightsAndMultipliers) {
  const Program program = all_points(Network(3));
  const Program first = program_at(program, 0);
  for (std::size_t k = 1; k < point_bits.size(); ++k) {
    const Program other = program_at(program, k);
    for (std::size_t s = 0; s < first.steps.size(); ++s) {
      const auto* a = std::get_if<ConvolutionStep>(&first.steps[s].operation);
      const auto* b = std::get_if<ConvolutionStep>(&other.steps[s].operation);
      if (a == nullptr) continue;
      EXPECT_EQ(a->weights, b->weights);
      EXPECT_EQ(a->multiplier, b->multiplier);
    }
  }
  EXPECT_NO_THROW(check_program(program, "the program"));
  // 8 + 8 + 4 + 4 + 6 + 5 biases of 4 bytes, and 16 bytes for each of 6 convolutions, an addition and a pool
  std::int64_t more = 0;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    more += program.steps[s].constant_bytes() - first.steps[s].constant_bytes();
  }
  EXPECT_LE(more, std::ssize(point_bits) * (35 * 4 + 8 * 16));
}

TEST(NestedProgram, RefusesWhatCouldOverflow) {
  Network network(4);
  NestedNetwork large = network.network();
  for (float& scale : large.weights.front()->scale) scale *= 1e-9F;  // biases beyond 32 bits
  EXPECT_THROW((void)lower(large, {network.point(8, 8)}, {}, {}), Error);
}

TEST(ConvolutionNested, IsTheSumOfItsDefinition) {
  Random random(5);
  std::vector<std::int8_t> weights(7);
  std::vector<std::uint8_t> input(7);
  for (int bits_now = 2; bits_now <= 8; ++bits_now) {
    for (auto& w : weights) w = static_cast<std::int8_t>(random.integer(-128, 127));
    for (auto& x : input) x = static_cast<std::uint8_t>(random.integer(0, 255));
    const std::int32_t bias = 1234;
    const std::int32_t multiplier = 1 << 30;  // a quarter
    double wanted = bias;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      wanted += (2 * std::floor(weights[i] / std::exp2(8 - bits_now)) + 1) * input[i];
    }
    runtime::Convolution step{};
    step.input = {1, 1, 7, 7, {8, false}};
    step.output = {1, 1, 1, 2, {16, true}};
    step.window = {1, 1, 1, 1, 1, 1, 0, 0};
    step.groups = 1;
    step.weight_bits = static_cast<std::uint8_t>(bits_now);
    step.output_minimum = INT16_MIN;
    step.output_maximum = INT16_MAX;
    step.weights = reinterpret_cast<const std::uint8_t*>(weights.data());
    step.bias = &bias;
    step.multiplier = &multiplier;
    std::uint8_t output[2];
    std::uint8_t scratch[7];
    runtime::convolution_nested(step, all_rows(step.output),
                                runtime::dense_rows(std::as_const(input).data(), step.input),
                                runtime::dense_rows(output, step.output), scratch);
    EXPECT_EQ(runtime::load_activation(output, 0, step.output.format), std::floor(wanted / 4 + 0.5)) << bits_now;
  }
}

TEST(OperatingPoints, TheCheapestThatIsGoodEnoughIsChosen) {
  const runtime::PointSummary<std::int32_t> summaries[] = {
      {0, 0, 9000, 100}, {1, 0, 8900, 60}, {2, 0, 8000, 30}, {1, 1, 9900, 60}, {3, 1, 9800, 20}};
  const auto choose = [&](int level, int energy, int accuracy) {
    const runtime::PointChoice choice = runtime::choose_operating_point(summaries, 5, level, energy, accuracy);
    return std::pair(choice.point, choice.meets_floor);
  };
  EXPECT_EQ(choose(0, 1000, 8850), std::pair(1, true));
  EXPECT_EQ(choose(0, 1000, 0), std::pair(2, true));
  EXPECT_EQ(choose(0, 70, 8950),
            std::pair(1, false));  // none is so accurate for the energy: the most accurate that can be paid
  EXPECT_EQ(choose(1, 1000, 9850), std::pair(1, true));
  EXPECT_EQ(choose(1, 1000, 9700), std::pair(3, true));
  EXPECT_EQ(choose(0, 10, 0), std::pair(-1, false));
  EXPECT_EQ(choose(2, 1000, 0), std::pair(-1, false));
}

}  // namespace
}  // namespace trimtab
