#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>

#include "base/random.h"
#include "data/dataset.h"

namespace trimtab {
namespace {

Dataset shapes(std::int64_t count, Split split = Split::train, std::uint64_t seed = 1) {
  DataOptions options;
  options.seed = seed;
  return load_dataset("synthetic:shapes:" + std::to_string(count), split, options);
}

/// FNV-1a.
std::uint64_t hash(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t value = 14695981039346656037U;
  for (const std::uint8_t byte : bytes) value = (value ^ byte) * 1099511628211U;
  return value;
}

TEST(Shapes, HasTenEvenClassesOfColourPictures) {
  const Dataset data = shapes(200);
  EXPECT_EQ(data.shape, (Shape{3, 32, 32}));
  EXPECT_EQ(data.pixels.values().size(), 200U * 3072);
  EXPECT_EQ(data.classes.size(), 10U);
  for (std::int64_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(data.labels.begin(), data.labels.end(), label), 20);
  }
  EXPECT_EQ(load_dataset("synthetic:shapes", Split::test, {}).size(), 2000);
}

// The number was made on x86-64 with GCC 12. Another one on another machine or compiler means that networks trained
// there have seen other pictures.
TEST(Shapes, IsTheSameOnEveryMachine) { EXPECT_EQ(hash(shapes(50).pixels.values()), 17564000231339812175U); }

TEST(Shapes, DependsOnSeedAndSplitButNotOnTheCount) {
  const Dataset data = shapes(40);
  EXPECT_EQ(data.slice(0, 25).pixels, shapes(25).pixels);
  EXPECT_NE(data.pixels, shapes(40, Split::test).pixels);
  EXPECT_NE(data.pixels, shapes(40, Split::train, 2).pixels);
}

/// Share of the test samples that multinomial logistic regression on the pixels gets right, after stochastic gradient
/// descent with a falling rate.
double linear_accuracy(const Dataset& train, const Dataset& test, int epochs) {
  constexpr std::size_t classes = 10;
  const auto size = static_cast<std::size_t>(element_count(train.shape));
  const Preprocessing centred{{128, 128, 128}, {64, 64, 64}};
  std::vector<float> weight(classes * size);
  std::array<float, classes> bias{};
  std::vector<float> x(size);
  const auto scores = [&] {
    std::array<float, classes> score = bias;
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t i = 0; i < size; ++i) score[c] += weight[c * size + i] * x[i];
    }
    return score;
  };
  std::vector<std::int64_t> order(static_cast<std::size_t>(train.size()));
  std::iota(order.begin(), order.end(), 0);
  Random random(1);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const float rate = 3e-4F / static_cast<float>(1 + epoch);
    random.shuffle(order);
    for (const std::int64_t index : order) {
      train.read(index, centred, x);
      std::array<float, classes> probability = scores();
      const float largest = *std::max_element(probability.begin(), probability.end());
      for (float& p : probability) p = std::exp(p - largest);
      const float sum = std::accumulate(probability.begin(), probability.end(), 0.0F);
      for (std::size_t c = 0; c < classes; ++c) {
        const float target =
            train.labels[static_cast<std::size_t>(index)] == static_cast<std::int64_t>(c) ? 1.0F : 0.0F;
        const float step = rate * (probability[c] / sum - target);
        bias[c] -= step;
        for (std::size_t i = 0; i < size; ++i) weight[c * size + i] -= step * x[i];
      }
    }
  }
  std::int64_t correct = 0;
  for (std::int64_t index = 0; index < test.size(); ++index) {
    test.read(index, centred, x);
    const auto score = scores();
    const auto best = std::max_element(score.begin(), score.end()) - score.begin();
    if (best == test.labels[static_cast<std::size_t>(index)]) ++correct;
  }
  return static_cast<double>(correct) / static_cast<double>(test.size());
}

TEST(Shapes, IsTooHardForALinearClassifier) {
  EXPECT_LT(linear_accuracy(shapes(3000), shapes(1000, Split::test), 3), 0.6);
}

// A guard for the test above: the same procedure finds what is linearly separable.
TEST(Shapes, TheLinearClassifierLearnsWhatIsLinear) {
  Dataset train = shapes(500);
  Dataset test = shapes(200, Split::test);
  for (Dataset* data : {&train, &test}) {
    std::vector<std::uint8_t> pixels(data->labels.size() * 3072, 100);
    for (std::size_t i = 0; i < data->labels.size(); ++i) {  // a bright row for the class
      std::fill_n(pixels.begin() + static_cast<std::int64_t>(i) * 3072 + data->labels[i] * 32, 32, std::uint8_t{255});
    }
    data->pixels = {std::move(pixels), 3072};
  }
  EXPECT_GT(linear_accuracy(train, test, 3), 0.95);
}

}  // namespace
}  // namespace trimtab
