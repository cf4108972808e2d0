#include "fit/bit_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/random.h"
#include "plan/layers.h"
#include "support/graphs.h"

// Bits of a small network with made-up sensitivities, held against all plans that there are.
namespace trimtab {
namespace {

using testing::HasSubstr;

constexpr std::int64_t outputs = 5;
const std::vector<std::string> weighted{"node0", "node2", "node5"};  // the layers of two_convolutions
const std::vector<std::int64_t> counts{576, 1152, 80};               // their weights

Dataset few_pixels() {
  Random random(1);
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = {8, 16, 16};
  for (std::int64_t i = 0; i < 4; ++i) {
    for (int p = 0; p < 2048; ++p) values.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
    data.labels.push_back(i % outputs);
  }
  for (std::int64_t c = 0; c < outputs; ++c) data.classes.push_back(std::to_string(c));
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

/// Two convolutions with Relu and a linear layer behind a pool. A filter's weights are whole bytes at any number of
/// bits, and the values between the layers what takes most of the arena.
Graph two_convolutions() {
  Random random(7);
  test::GraphMaker maker({8, 16, 16});
  ValueId x = 0;
  for (const float gain : {0.003F, 0.25F}) {  // raw pixels, then about unit gain
    Conv conv = test::random_conv(8, x == 0 ? 8 : 16, 3, 3, 1, random);
    for (float& weight : conv.weight.data) weight *= gain;
    conv.padding = {1, 1, 1, 1};
    x = maker.add(Relu{}, {maker.add(conv, {x})});
  }
  x = maker.add(GlobalAveragePool{false}, {x});
  maker.add(Linear{test::random_tensor({outputs, 16}, random), test::random_tensor({outputs}, random)}, {x});
  return maker.graph();
}

class BitChoiceTest : public testing::Test {
 protected:
  BitChoiceTest() {
    options_.weight_bits = {2, 3, 5, 8};
    options_.activation_bits = {2, 4, 8};
    by_kl_ = sensitivities(3);
    by_fisher_ = sensitivities(4);
  }

  /// Losses that fall with the bits, at another pace in every layer.
  [[nodiscard]] std::vector<LayerSensitivity> sensitivities(std::uint64_t seed) const {
    Random random(seed);
    std::vector<LayerSensitivity> result;
    for (const Layer& layer : fuse_layers(network_)) {
      LayerSensitivity& own = result.emplace_back();
      own.layer = layer.name;
      const auto fill = [&](std::map<int, double>& losses, const std::vector<int>& choices) {
        double loss = 0;
        for (auto bits = choices.rbegin(); bits != choices.rend(); ++bits) losses[*bits] = loss += random.uniform();
      };
      if (std::find(weighted.begin(), weighted.end(), layer.name) != weighted.end())
        fill(own.weights, options_.weight_bits);
      fill(own.activations, options_.activation_bits);
    }
    return result;
  }

  std::vector<ChosenBits> choose(BoundsCheck& check) const {
    return choose_bits(network_, uniform_plan(network_, 8, 8), by_kl_, by_fisher_, check, options_);
  }

  /// Bytes of a plan's weights, counted here.
  [[nodiscard]] std::int64_t weights_bytes(const Plan& plan) const {
    std::int64_t bits = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) bits += counts[i] * find_layer(plan, weighted[i])->weight_bits;
    return bits / 8;
  }

  std::int64_t arena_bytes(const Plan& plan) {
    const auto [entry, is_new] = arenas_.try_emplace(to_toml(plan), 0);
    if (is_new) entry->second = pricer_.smallest_arena(pricer_.sketch(network_, plan));
    return entry->second;
  }

  std::int64_t memory_bytes(const Plan& plan) { return weights_bytes(plan) + arena_bytes(plan); }

  static double loss_of_weights(const Plan& plan, const std::vector<LayerSensitivity>& sensitivities) {
    double loss = 0;
    for (const LayerSensitivity& layer : sensitivities) {
      if (!layer.weights.empty()) loss += layer.weights.at(find_layer(plan, layer.layer)->weight_bits);
    }
    return loss;
  }

  /// Calls `see` with the plan at all bits of its weights.
  void with_all_weights(Plan plan, const std::function<void(const Plan&)>& see) const {
    for (const int first : options_.weight_bits) {
      for (const int second : options_.weight_bits) {
        for (const int third : options_.weight_bits) {
          find_layer(plan, weighted[0])->weight_bits = first;
          find_layer(plan, weighted[1])->weight_bits = second;
          find_layer(plan, weighted[2])->weight_bits = third;
          see(plan);
        }
      }
    }
  }

  const Graph network_ = two_convolutions();
  const Dataset data_ = few_pixels();
  const Pricer pricer_{load_target("stm32f412"), Optimize::speed, data_, data_, {}, "net", false};
  BitChoiceOptions options_;
  std::vector<LayerSensitivity> by_kl_;
  std::vector<LayerSensitivity> by_fisher_;
  std::map<std::string, std::int64_t> arenas_;  // by plan
};

TEST_F(BitChoiceTest, WeightsLoseLeastWithinTheirBound) {
  for (const std::int64_t bound : {453, 600, 904, 1355, 1700}) {
    BoundsCheck check(pricer_, {{}, bound, 0});
    const std::vector<ChosenBits> chosen = choose(check);
    ASSERT_FALSE(chosen.empty());
    for (const ChosenBits& one : chosen) {
      EXPECT_LE(weights_bytes(one.plan), bound) << one.made_by;
      EXPECT_EQ(find_layer(one.plan, weighted[0])->activation_bits, 8);
      EXPECT_EQ(find_layer(one.plan, weighted[1])->activation_bits, 8);
      EXPECT_EQ(find_layer(one.plan, weighted[2])->activation_bits, 16);  // the logits
      if (one.made_by == "uniform") {
        const int bits = one.plan.layers.front().weight_bits;
        for (const int wider : options_.weight_bits) {
          if (wider > bits) {
            EXPECT_GT(weights_bytes(uniform_plan(network_, wider, 8)), bound);
          }
        }
        EXPECT_EQ(weights_bytes(one.plan), weights_bytes(uniform_plan(network_, bits, 8)));
        continue;
      }
      const std::vector<LayerSensitivity>& own = one.made_by == "knapsack of kl" ? by_kl_ : by_fisher_;
      const double loss = loss_of_weights(one.plan, own);
      with_all_weights(one.plan, [&](const Plan& other) {
        if (weights_bytes(other) <= bound) {
          EXPECT_GE(loss_of_weights(other, own), loss - 1e-12);
        }
      });
    }
  }
}

TEST_F(BitChoiceTest, WeightsAndArenaShareABound) {
  options_.weight_bits = {2, 3, 8};
  const std::int64_t narrow = memory_bytes(uniform_plan(network_, 2, 2));
  const std::int64_t wide = memory_bytes(uniform_plan(network_, 8, 8));
  int narrowed = 0;
  for (const std::int64_t bound : {narrow, narrow + 500, (narrow + wide) / 2, wide - 1}) {
    BoundsCheck check(pricer_, {{}, 0, bound});
    const std::vector<ChosenBits> chosen = choose(check);
    ASSERT_FALSE(chosen.empty()) << bound;
    for (const ChosenBits& one : chosen) {
      EXPECT_LE(memory_bytes(one.plan), bound) << one.made_by;
      if (one.made_by != "knapsack of kl") continue;
      narrowed += find_layer(one.plan, weighted[0])->activation_bits < 8 ? 1 : 0;
      // the arena depends on the weights' bits, too: what fits with any of these arenas loses no less
      std::int64_t largest = 0;
      with_all_weights(one.plan, [&](const Plan& other) { largest = std::max(largest, arena_bytes(other)); });
      const double loss = loss_of_weights(one.plan, by_kl_);
      with_all_weights(one.plan, [&](const Plan& other) {
        if (weights_bytes(other) + largest <= bound) {
          EXPECT_GE(loss_of_weights(other, by_kl_), loss - 1e-12);
        }
      });
    }
  }
  EXPECT_GT(narrowed, 0);
}

TEST_F(BitChoiceTest, EvolvedWeightsMeetTheBoundToo) {
  const std::int64_t bound = 700;
  BoundsCheck check(pricer_, {{}, bound, 0});
  const std::vector<ChosenBits> exact = choose(check);
  options_.engine = BitEngine::nsga2;
  const std::vector<ChosenBits> evolved = choose(check);
  ASSERT_EQ(evolved.front().made_by, "NSGA-II of kl");
  EXPECT_LE(weights_bytes(evolved.front().plan), bound);
  EXPECT_GE(loss_of_weights(evolved.front().plan, by_kl_), loss_of_weights(exact.front().plan, by_kl_) - 1e-12);
}

TEST_F(BitChoiceTest, NothingFits) {
  BoundsCheck weights(pricer_, {{}, 451, 100'000});
  EXPECT_TRUE(choose(weights).empty());
  EXPECT_FALSE(weights.check(network_, uniform_plan(network_, 2, 2)).met);
  EXPECT_THAT(weights.nothing_fits().what(),
              HasSubstr("the weights alone take more than 451 bytes with the fewest filters and bits that were tried: "
                        "452 are the smallest reachable"));

  std::int64_t least = memory_bytes(uniform_plan(network_, 2, 2));
  for (const int activation_bits : options_.activation_bits)
    for (const int weight_bits : options_.weight_bits)
      least = std::min(least, memory_bytes(uniform_plan(network_, weight_bits, activation_bits)));
  BoundsCheck memory(pricer_, {{}, 0, 452});
  EXPECT_TRUE(choose(memory).empty());
  EXPECT_EQ(memory.check(network_, uniform_plan(network_, 2, 2)).over, arena_bytes(uniform_plan(network_, 2, 2)));
  EXPECT_THAT(memory.nothing_fits().what(), HasSubstr(std::to_string(least) + " are the smallest reachable"));
}

}  // namespace
}  // namespace trimtab
