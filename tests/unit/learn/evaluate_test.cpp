#include "learn/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

using test::GraphMaker;

/// The network gives back its seven inputs as logits.
Graph identity(bool softmax) {
  GraphMaker maker({7});
  Linear linear{{{7, 7}, std::vector<float>(49, 0.0F)}, {}};
  for (std::size_t i = 0; i < 7; ++i) linear.weight.data[i * 8] = 1;
  const ValueId logits = maker.add(linear, {0});
  if (softmax) maker.add(Softmax{}, {logits});
  return maker.graph();
}

Dataset logits(std::vector<float> values, std::vector<std::int64_t> labels) {
  Dataset data;
  data.shape = {7};
  data.features = {std::move(values), 7};
  data.labels = std::move(labels);
  data.classes.resize(7);
  return data;
}

TEST(Evaluate, CountsRanksAndMeasuresLoss) {
  const Dataset data = logits({0, 1, 2, 3, 4, 5, 6,   // label 6: first
                               0, 1, 2, 3, 4, 5, 6,   // label 2: fifth
                               0, 1, 2, 3, 4, 5, 6,   // label 1: sixth
                               2, 2, 2, 2, 2, 2, 2,   // label 0: first of equals
                               2, 2, 2, 2, 2, 2, 2},  // label 5: sixth of equals
                              {6, 2, 1, 0, 5});
  double sum = 0;
  for (int i = 0; i < 7; ++i) sum += std::exp(i);
  const double loss = (3 * std::log(sum) - 6 - 2 - 1 + 2 * std::log(7.0)) / 5;
  for (const bool softmax : {false, true}) {
    const Score result = evaluate(identity(softmax), data, {}, {2, 1, "cpu"});
    EXPECT_EQ(result.samples, 5);
    EXPECT_DOUBLE_EQ(result.at(Measure::top1), 40);
    EXPECT_DOUBLE_EQ(result.at(Measure::top5), 60);
    EXPECT_NEAR(result.at(Measure::loss), loss, 1e-6);
  }
}

TEST(Evaluate, RefusesAnswersThatAreNotNumbers) {
  const Dataset data = logits({0, 0, 0, std::nanf(""), 0, 0, 0}, {0});
  EXPECT_THROW(static_cast<void>(evaluate(identity(false), data, {}, {2, 1, "cpu"})), Error);
}

TEST(Evaluate, RefusesDataThatDoesNotFit) {
  EXPECT_THROW(static_cast<void>(evaluate(identity(false), logits({0, 0, 0, 0, 0, 0, 0}, {7}), {}, {2, 1, "cpu"})),
               Error);
  Dataset wide = logits({0, 0, 0, 0, 0, 0, 0, 0}, {0});
  wide.shape = {8};
  EXPECT_THROW(static_cast<void>(evaluate(identity(false), wide, {}, {2, 1, "cpu"})), Error);
  EXPECT_THROW(static_cast<void>(evaluate(identity(false), logits({}, {}), {}, {2, 1, "cpu"})), Error);
}

}  // namespace
}  // namespace trimtab
