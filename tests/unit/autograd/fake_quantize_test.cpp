#include "learn/fake_quantize.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace trimtab {
namespace {

constexpr float none = std::numeric_limits<float>::infinity();

/// The rule of Esser et al., ICLR 2020, equations 1 to 3, one number at a time, in double precision.
struct Expected {
  torch::Tensor output;
  torch::Tensor x_gradient;
  double step_gradient = 0;
};

Expected naive(const torch::Tensor& x, double step, const FakeQuantizeRange& range, const torch::Tensor& gradient) {
  Expected expected{torch::empty_like(x), torch::empty_like(x), 0};
  const double limit = static_cast<double>(range.saturation.high) / step;
  const double highest = std::min<double>(range.maximum, std::floor(limit + 0.5));
  const double lowest =
      std::max<double>(range.minimum, std::floor(static_cast<double>(range.saturation.low) / step + 0.5));
  const double passes_up_to = std::min<double>(range.maximum, limit);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double v = static_cast<double>(x.data_ptr<float>()[i]) / step;
    const double g = static_cast<double>(gradient.data_ptr<float>()[i]);
    const double level = std::clamp(std::floor(v + 0.5), lowest, highest);
    const bool below = v < lowest;
    const bool above = v > passes_up_to;
    expected.output.data_ptr<float>()[i] = static_cast<float>(level * step);
    expected.x_gradient.data_ptr<float>()[i] = below || above ? 0.0F : static_cast<float>(g);
    // at the function's own end (6 of a ReLU6) the output stays where it is, whatever the step
    const double held = limit < range.maximum ? limit : 0;
    expected.step_gradient += g * (below ? level : above ? level - held : level - v);
  }
  return expected;
}

void check(const FakeQuantizeRange& range, float step, std::int64_t count) {
  torch::manual_seed(1);
  const torch::Tensor x = (torch::randn({count}) * 40 * step).requires_grad_(true);
  const torch::Tensor size = torch::full({1}, step).requires_grad_(true);
  const torch::Tensor gradient = torch::randn({count});
  const torch::Tensor y = fake_quantize_activation(x, size, range, 0.25);
  y.backward(gradient);
  const Expected expected = naive(x.detach(), static_cast<double>(step), range, gradient);
  EXPECT_LT((y - expected.output).abs().max().item<float>(), 1e-5F * step);
  EXPECT_TRUE(torch::equal(x.grad(), expected.x_gradient));
  EXPECT_NEAR(size.grad().item<double>(), 0.25 * expected.step_gradient,
              1e-5 * 40 * std::sqrt(static_cast<double>(count)));
}

// counts that are no multiple of a vector, and more than a block
TEST(FakeQuantize, FollowsTheRuleOfLearnedSteps) {
  for (const std::int64_t count : {1, 7, 33, 10'000}) {
    check({0, 255, {0, none}}, 0.0625F, count);
    check({-8, 7, {-none, none}}, 0.5F, count);
    check({0, 15, {0, 6}}, 0.25F, count);  // the grid ends before the function does
    check({0, 255, {0, 6}}, 0.25F, count);
    check({0, 255, {0, 6}}, 0.32F, count);  // 6 between two levels
  }
}

TEST(FakeQuantize, InBfloat16IsTheSameUpToItsRounding) {
  torch::manual_seed(2);
  const torch::Tensor exact = torch::randn({5'000}).to(torch::kBFloat16).to(torch::kFloat);
  const torch::Tensor gradient = torch::randn({5'000}).to(torch::kBFloat16).to(torch::kFloat);
  const FakeQuantizeRange range{0, 15, {0, none}};
  const torch::Tensor x = exact.to(torch::kBFloat16).requires_grad_(true);
  const torch::Tensor step = torch::full({1}, 0.125F).requires_grad_(true);
  const torch::Tensor y = fake_quantize_activation(x, step, range, 1);
  y.backward(gradient.to(torch::kBFloat16));
  const Expected expected = naive(exact, 0.125, range, gradient);
  EXPECT_TRUE(torch::equal(y.to(torch::kFloat), expected.output));  // up to 15 eighths are exact
  EXPECT_TRUE(torch::equal(x.grad().to(torch::kFloat), expected.x_gradient));
  EXPECT_NEAR(step.grad().item<double>(), expected.step_gradient, 1e-2);
}

}  // namespace
}  // namespace trimtab
