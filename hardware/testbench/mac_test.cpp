// The MACs as Verilator sees them, bit for bit against the definition and the runtime's kernel: random and boundary
// operands at every precision, sums that begin with every group or go on, pauses between groups, precisions that change
// while nothing is under way, and noise on every input that is not to be read.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "Vserial_mac.h"
#include "Vsum_together_mac.h"
#include "base/random.h"
#include "target/mac_stimulus.h"
#include "trimtab/convolution_nested.h"

namespace trimtab {
namespace {

constexpr std::int64_t macs_per_precision = 24'000;  // 48 precisions (24, signed and unsigned) make more than a million

/// One operand of every kind that matters: random ones, and the ends of both ranges.
MacOperand draw(Random& random, const MacPrecision& precision) {
  const int least = precision.signed_activation ? -(1 << (precision.activation_bits - 1)) : 0;
  const int most = least + (1 << precision.activation_bits) - 1;
  const std::array<int, 4> weights{-128, 127, -1, 0};
  const std::array<int, 4> activations{least, most, 0, 1};
  const bool boundary = random.integer(0, 3) == 0;
  const auto pick = [&random](const std::array<int, 4>& ends) {
    return ends[static_cast<std::size_t>(random.integer(0, 3))];
  };
  return {static_cast<std::int8_t>(boundary ? pick(weights) : random.integer(-128, 127)),
          static_cast<std::int16_t>(boundary ? pick(activations) : random.integer(least, most))};
}

std::uint32_t noise(Random& random) { return static_cast<std::uint32_t>(random.bits()); }

/// The digit-serial MAC and its clock.
class Serial {
 public:
  static constexpr MacArchitecture architecture = MacArchitecture::serial;

  void set(const MacPrecision& precision) { precision_ = precision; }
  void group(std::span<const MacOperand> operands, bool start, Random& random) {
    for (const SerialInputs& inputs : serial_group(precision_, operands, start)) {
      mac_->step = 1;
      mac_->start = inputs.start;
      mac_->first_activation = inputs.first_activation;
      mac_->last_activation = inputs.last_activation;
      mac_->first_weight = inputs.first_weight;
      mac_->last_weight = inputs.last_weight;
      // A held weight digit is not read again.
      mac_->weight = inputs.first_activation ? inputs.weight : noise(random);
      mac_->activation = inputs.activation;
      clock();
      if (random.integer(0, 15) == 0) pause(random, 1);
    }
  }
  void pause(Random& random, int clocks) {
    for (; clocks > 0; --clocks) {
      mac_->step = 0;
      mac_->start = noise(random) & 1U;
      mac_->first_activation = noise(random) & 1U;
      mac_->last_activation = noise(random) & 1U;
      mac_->first_weight = noise(random) & 1U;
      mac_->last_weight = noise(random) & 1U;
      mac_->weight = noise(random);
      mac_->activation = noise(random);
      clock();
    }
  }
  [[nodiscard]] std::int32_t accumulator() const { return static_cast<std::int32_t>(mac_->accumulator); }

 private:
  void clock() {
    mac_->odd_bits = precision_.weight_bits % 2 == 1;
    mac_->signed_activation = precision_.signed_activation;
    mac_->clock = 0;
    mac_->eval();
    mac_->clock = 1;
    mac_->eval();
  }

  std::unique_ptr<Vserial_mac> mac_ = std::make_unique<Vserial_mac>();
  MacPrecision precision_;
};

/// The sum-together array and its clock.
class SumTogether {
 public:
  static constexpr MacArchitecture architecture = MacArchitecture::sum_together;

  void set(const MacPrecision& precision) {
    precision_ = precision;
    // Which words are read: those that operands of ones set.
    const auto count = static_cast<std::size_t>(macs_per_group(architecture, precision));
    used_ = sum_together_group(precision, std::vector<MacOperand>(count, {-1, -1}), false);
  }
  void group(std::span<const MacOperand> operands, bool start, Random& random) {
    const SumTogetherInputs inputs = sum_together_group(precision_, operands, start);
    mac_->load = 1;
    mac_->start = inputs.start;
    for (std::size_t word = 0; word < 16; ++word) {
      mac_->weight[word] = used_.weight[word] != 0 ? inputs.weight[word] : noise(random);
      mac_->activation[word] = used_.activation[word] != 0 ? inputs.activation[word] : noise(random);
    }
    clock();
    if (random.integer(0, 7) == 0) pause(random, 1);
  }
  void pause(Random& random, int clocks) {
    for (; clocks > 0; --clocks) {
      mac_->load = 0;
      mac_->start = noise(random) & 1U;
      for (std::size_t word = 0; word < 16; ++word) {
        mac_->weight[word] = noise(random);
        mac_->activation[word] = noise(random);
      }
      clock();
    }
  }
  [[nodiscard]] std::int32_t accumulator() const { return static_cast<std::int32_t>(mac_->accumulator); }

 private:
  void clock() {
    mac_->weight_digits = static_cast<std::uint8_t>(precision_.weight_digits());
    mac_->odd_bits = precision_.weight_bits % 2 == 1;
    mac_->activation_digits = static_cast<std::uint8_t>(precision_.activation_digits());
    mac_->signed_activation = precision_.signed_activation;
    mac_->clock = 0;
    mac_->eval();
    mac_->clock = 1;
    mac_->eval();
  }

  std::unique_ptr<Vsum_together_mac> mac_ = std::make_unique<Vsum_together_mac>();
  MacPrecision precision_;
  SumTogetherInputs used_;
};

/// What the runtime's kernel for nested weights makes of the same operands, less `sum`: 0 where it agrees. (Its output
/// has 16 bits, so the sum is taken away as the bias; a difference that is no multiple of 2^17 shows.)
std::int32_t difference_from_runtime(std::span<const MacOperand> operands, const MacPrecision& precision,
                                     std::int32_t sum) {
  const auto channels = static_cast<std::int16_t>(operands.size());
  const runtime::Image input{1, 1, channels, channels, {8, precision.signed_activation}};
  const std::int32_t bias = -sum;
  const std::int32_t multiplier = 1 << 30;
  std::vector<std::uint8_t> weights;
  std::vector<std::uint8_t> activations;
  for (const MacOperand& operand : operands) {
    weights.push_back(static_cast<std::uint8_t>(operand.weight));
    activations.push_back(static_cast<std::uint8_t>(operand.activation));
  }
  runtime::Convolution convolution{};
  convolution.input = input;
  convolution.output = {1, 1, 1, 2, {16, true}};
  convolution.window = {1, 1, 1, 1, 1, 1, 0, 0};
  convolution.groups = 1;
  convolution.weight_bits = static_cast<std::uint8_t>(precision.weight_bits);
  convolution.shift = 15;
  convolution.output_minimum = -32768;
  convolution.output_maximum = 32767;
  convolution.weights = weights.data();
  convolution.bias = &bias;
  convolution.multiplier = &multiplier;
  std::vector<std::uint8_t> scratch(static_cast<std::size_t>(runtime::convolution_nested_scratch_bytes(convolution)));
  std::array<std::uint8_t, 2> output{};
  runtime::convolution_nested(convolution, all_rows(convolution.output),
                              runtime::dense_rows(std::as_const(activations).data(), input),
                              runtime::dense_rows(output.data(), convolution.output), scratch.data());
  return runtime::load_activation(output.data(), 0, convolution.output.format);
}

/// Sums of 1 to 12 groups, each compared when it is whole: the MAC's, the definition's and the runtime's.
template <typename Mac>
std::int64_t run_precision(Mac& mac, const MacPrecision& precision, Random& random) {
  mac.set(precision);
  mac.pause(random, 2);
  const auto count = static_cast<std::size_t>(macs_per_group(Mac::architecture, precision));
  std::int64_t macs = 0;
  std::vector<MacOperand> operands(count);
  std::vector<MacOperand> all;
  while (macs < macs_per_precision) {
    std::int32_t expected = 0;
    all.clear();
    const std::int64_t groups = random.integer(1, 12);
    for (std::int64_t group = 0; group < groups; ++group) {
      for (MacOperand& operand : operands) {
        operand = draw(random, precision);
        expected += nested_product(operand.weight, precision.weight_bits, operand.activation);
      }
      mac.group(operands, group == 0, random);
      all.insert(all.end(), operands.begin(), operands.end());
      macs += static_cast<std::int64_t>(count);
    }
    mac.pause(random, latency_clocks(Mac::architecture));
    EXPECT_EQ(difference_from_runtime(all, precision, expected), 0);
    EXPECT_NE(difference_from_runtime(all, precision, expected + 1), 0);  // it would be seen
    if (mac.accumulator() != expected) {
      ADD_FAILURE() << fmt::format("{} x {} bits, signed {}: {} instead of {}", precision.weight_bits,
                                   precision.activation_bits, precision.signed_activation, mac.accumulator(), expected);
      return macs;
    }
  }
  return macs;
}

template <typename Mac>
void run_all() {
  Mac mac;
  Random random(1);
  std::int64_t macs = 0;
  for (const bool is_signed : {false, true}) {
    for (const int weight_bits : {8, 6, 5, 4, 3, 2}) {
      for (const int activation_bits : {8, 6, 4, 2}) {
        macs += run_precision(mac, {weight_bits, activation_bits, is_signed}, random);
      }
    }
  }
  EXPECT_GE(macs, 1'000'000);
  if (!testing::Test::HasFailure()) {
    fmt::print("{}: {} multiply-accumulates at 48 precisions, 0 differ\n", name_of(Mac::architecture), macs);
  }
}

TEST(Mac, SerialIsBitExact) { run_all<Serial>(); }
TEST(Mac, SumTogetherIsBitExact) { run_all<SumTogether>(); }

/// Every weight times every activation of 2 bits and every fifth of 8 bits (both ends among them), alone in its lane.
template <typename Mac>
void run_every_product() {
  Mac mac;
  Random random(2);
  std::int64_t sums = 0;
  for (const bool is_signed : {false, true}) {
    for (const int weight_bits : {8, 5, 2}) {
      for (const int activation_bits : {8, 2}) {
        const MacPrecision precision{weight_bits, activation_bits, is_signed};
        mac.set(precision);
        mac.pause(random, 2);
        const auto count = static_cast<std::size_t>(macs_per_group(Mac::architecture, precision));
        const int least = is_signed ? -(1 << (activation_bits - 1)) : 0;
        for (int q = -128; q < 128; ++q) {
          for (int x = least; x < least + (1 << activation_bits); x += activation_bits == 8 ? 5 : 1) {
            std::vector<MacOperand> operands(count);
            operands[static_cast<std::size_t>(sums) % count] = {static_cast<std::int8_t>(q),
                                                                static_cast<std::int16_t>(x)};
            mac.group(operands, true, random);
            mac.pause(random, latency_clocks(Mac::architecture));
            ASSERT_EQ(mac.accumulator(), nested_product(static_cast<std::int8_t>(q), weight_bits, x))
                << weight_bits << " x " << activation_bits << " bits, q " << q << ", x " << x;
            ++sums;
          }
        }
      }
    }
  }
  fmt::print("{}: {} single products, 0 differ\n", name_of(Mac::architecture), sums);
}

TEST(Mac, SerialMakesEveryProduct) { run_every_product<Serial>(); }
TEST(Mac, SumTogetherMakesEveryProduct) { run_every_product<SumTogether>(); }

}  // namespace
}  // namespace trimtab
