#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "support/quantized_builder.h"

// Grids with zero points: programs against the real numbers that their integers stand for.
namespace trimtab {
namespace {

/// A quantized network of few layers with random zero points, and its real answer by plain loops.
class ZeroPoints : public testing::TestWithParam<std::uint64_t>, protected QuantizedBuilder {
 protected:
  Random random{GetParam()};

  ActivationGrid grid(float scale) {
    ActivationGrid made{scale, 8, random.integer(0, 1) == 1};
    made.zero_point = static_cast<std::int32_t>(random.integer(made.minimum() + 64, made.maximum() - 64));
    return made;
  }
  /// The program's answer to integers {H, W, C} of 8 bits, as integers of its output's grid.
  std::vector<std::int32_t> run(const std::vector<std::int32_t>& integers, Core core) const {
    const Program program = lowered();
    const ProgramRunner runner(program, core);
    std::vector<std::uint8_t> bytes;
    for (const std::int32_t integer : integers) bytes.push_back(static_cast<std::uint8_t>(integer));
    std::vector<std::int32_t> outputs(static_cast<std::size_t>(runner.output_elements()));
    runner.run(bytes, 1, outputs);
    return outputs;
  }

  std::vector<std::int32_t> random_integers(std::int64_t count, const ActivationGrid& own) {
    std::vector<std::int32_t> integers;
    for (std::int64_t i = 0; i < count; ++i)
      integers.push_back(static_cast<std::int32_t>(random.integer(own.minimum(), own.maximum())));
    return integers;
  }

  static double real(std::int32_t integer, const ActivationGrid& own) {
    return static_cast<double>(own.scale) * (integer - own.zero_point);
  }

  /// Every integer stands for the real number, up to the rounding that `steps` of the grid allow, or saturates.
  static void expect_reals(const std::vector<std::int32_t>& integers, const std::vector<double>& reals,
                           const ActivationGrid& own, double steps) {
    ASSERT_EQ(integers.size(), reals.size());
    for (std::size_t i = 0; i < integers.size(); ++i) {
      const double exact = std::clamp<double>(reals[i] / own.scale + own.zero_point, own.minimum(), own.maximum());
      EXPECT_NEAR(integers[i], exact, steps) << i;
    }
  }
};

constexpr double rounding = 0.502;  // half a step, and the fixed-point multiplier's error

TEST_P(ZeroPoints, PaddedConvolution) {
  const ActivationGrid in = grid(0.05F);
  const ActivationGrid out = grid(0.4F);
  const ValueId x = start({3, 5, 4}, in);
  Conv conv;
  conv.weight = {{4, 3, 3, 3}, {}};
  for (int i = 0; i < 4 * 27; ++i) conv.weight.data.push_back(0.02F * static_cast<float>(random.integer(-128, 127)));
  conv.bias = {{4}, {0.3F, -2, 1.7F, 0}};
  conv.padding = {1, 1, 1, 1};
  conv.stride = {random.integer(1, 2), 1};
  add("conv", conv, {x}, out, WeightGrid{8, {0.02F, 0.02F, 0.02F, 0.02F}});
  const std::vector<std::int32_t> integers = random_integers(60, in);
  std::vector<double> expected;
  const Shape& shape = network.graph.output_shape();
  for (std::int64_t y = 0; y < shape[1]; ++y) {
    for (std::int64_t column = 0; column < shape[2]; ++column) {
      for (std::int64_t o = 0; o < 4; ++o) {
        double sum = conv.bias.data[static_cast<std::size_t>(o)];
        for (std::int64_t c = 0; c < 3; ++c) {
          for (std::int64_t i = 0; i < 3; ++i) {
            for (std::int64_t j = 0; j < 3; ++j) {
              const std::int64_t row = y * conv.stride[0] + i - 1;
              const std::int64_t place = column + j - 1;
              if (row < 0 || row >= 5 || place < 0 || place >= 4) continue;  // a real zero
              sum += static_cast<double>(conv.weight.data[static_cast<std::size_t>(((o * 3 + c) * 3 + i) * 3 + j)]) *
                     real(integers[static_cast<std::size_t>((row * 4 + place) * 3 + c)], in);
            }
          }
        }
        expected.push_back(sum);
      }
    }
  }
  // Biases are whole units of the accumulators, a four-hundredth of a step. The output's zero point is not: were it
  // rounded to one, results would be off by up to 0.00125 steps more.
  for (const Core core : {Core::generic, Core::host, Core::cortex_m3, Core::cortex_m4}) {
    expect_reals(run(integers, core), expected, out, 0.50002);
  }
}

TEST_P(ZeroPoints, SumsProductsAndMeans) {
  const ActivationGrid in = grid(0.05F);
  const ActivationGrid sum_grid = grid(0.07F);
  const ActivationGrid product_grid = grid(0.2F);
  const ActivationGrid mean_grid = grid(0.11F);
  const std::vector<std::int32_t> integers = random_integers(2 * 4 * 4, in);
  const auto all = [&](const auto& function) {
    std::vector<double> result;
    for (const std::int32_t integer : integers) result.push_back(function(real(integer, in)));
    return result;
  };
  for (const Core core : {Core::generic, Core::host, Core::cortex_m3, Core::cortex_m4}) {
    network = {};
    add("sum", Add{}, {start({2, 4, 4}, in), 0}, sum_grid);
    expect_reals(run(integers, core), all([](double x) { return x + x; }), sum_grid, rounding);

    network = {};
    add("product", Mul{}, {start({2, 4, 4}, in), 0}, product_grid);
    expect_reals(run(integers, core), all([](double x) { return x * x; }), product_grid, rounding);

    network = {};
    Pool pool;
    pool.kind = PoolKind::average;
    pool.padding = {1, 1, 1, 1};
    pool.count_include_pad = random.integer(0, 1) == 1;
    const bool same_grid = random.integer(0, 1) == 1;
    const ActivationGrid& own = same_grid ? in : mean_grid;
    add("mean", pool, {start({2, 4, 4}, in)}, own);
    std::vector<double> means;
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 3; ++x) {
        for (int c = 0; c < 2; ++c) {
          double sum = 0;
          int count = 0;
          for (int row = 2 * y - 1; row <= 2 * y; ++row) {
            for (int column = 2 * x - 1; column <= 2 * x; ++column) {
              if (row < 0 || row > 3 || column < 0 || column > 3) continue;
              sum += real(integers[static_cast<std::size_t>((row * 4 + column) * 2 + c)], in);
              ++count;
            }
          }
          means.push_back(sum / (pool.count_include_pad ? 4 : count));
        }
      }
    }
    expect_reals(run(integers, core), means, own, rounding);
  }
}

/// The mean of a value that came with its grid, as TensorFlow Lite defines it: of the integers that the file stores,
/// halves away from 0. Every sum of the window occurs, so that there are halves of both signs.
TEST_P(ZeroPoints, MeansRoundAsTheFileDefinesThem) {
  for (const bool stored_signed : {true, false}) {
    for (const bool held_signed : {true, false}) {
      const std::int32_t shift =
          (held_signed ? 0 : 128) - (stored_signed ? 0 : 128);  // from the file's integers to ours
      const std::int32_t zero = static_cast<std::int32_t>(random.integer(-128, 127)) + (stored_signed ? 0 : 128);
      ActivationGrid own{0.05F, 8, held_signed};
      own.zero_point = zero + shift;
      network = {};
      Pool pool;
      pool.kind = PoolKind::average;
      pool.kernel = {2, 2};
      pool.stride = {2, 2};
      const ValueId mean = add("mean", pool, {start({4, 16, 32}, own)}, own);
      network.graph.values.at(static_cast<std::size_t>(mean)).grid = SourceGrid{0.05F, zero, 8, stored_signed};
      std::vector<std::int32_t> integers(16 * 32 * 4);
      std::vector<std::int32_t> expected;
      for (int window = 0; window < 8 * 16 * 4; ++window) {
        const int y = window / 64 * 2;
        const int x = window / 4 % 16 * 2;
        const int channel = window % 4;
        double sum = 0;
        for (int i = 0; i < 4; ++i) {  // sums from 4 * least on, two apart
          const std::int32_t stored = std::min((2 * window + i) / 4, 255) + (stored_signed ? -128 : 0);
          sum += stored;
          integers.at(static_cast<std::size_t>(((y + i / 2) * 32 + x + i % 2) * 4 + channel)) = stored + shift;
        }
        expected.push_back(static_cast<std::int32_t>(std::round(sum / 4)) + shift);
      }
      for (const Core core : {Core::generic, Core::host, Core::cortex_m3, Core::cortex_m4}) {
        EXPECT_EQ(run(integers, core), expected) << stored_signed << held_signed;
      }
    }
  }
}

TEST_P(ZeroPoints, TablesAndJoins) {
  const ActivationGrid in = grid(0.05F);
  const ActivationGrid other = grid(0.03F);
  const std::vector<std::int32_t> integers = random_integers(2 * 3 * 3, in);
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  // a table of another grid, joined with the input on the table's grid: the input is rescaled
  const ValueId x = start({2, 3, 3}, in);
  const ValueId y = add("sigmoid", Sigmoid{}, {x}, other);
  add("both", Concat{}, {x, y}, other);
  std::vector<double> expected;
  for (std::size_t i = 0; i < integers.size(); i += 2) {
    const double a = real(integers[i], in);
    const double b = real(integers[i + 1], in);
    expected.insert(expected.end(), {a, b, sigmoid(a), sigmoid(b)});
  }
  for (const Core core : {Core::generic, Core::host, Core::cortex_m4}) {
    expect_reals(run(integers, core), expected, other, rounding);
  }
}

TEST_P(ZeroPoints, SamplesAndAnswers) {
  const ActivationGrid in = grid(0.05F);
  add("copy", Reshape{{4}}, {start({4}, in)}, in);
  const Program program = lowered();
  const std::vector<float> reals = dequantize(program, std::vector<std::int32_t>{in.zero_point, in.zero_point + 3});
  EXPECT_EQ(reals, (std::vector<float>{0, 0.05F * 3}));
  EXPECT_EQ(quantize(0, in), in.zero_point);
  EXPECT_EQ(quantize(-0.1F, in), in.zero_point - 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ZeroPoints, testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace trimtab
