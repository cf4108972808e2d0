#include "learn/channel_normalization.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

namespace trimtab {
namespace {

constexpr double epsilon = 1e-3;

struct Case {
  torch::Tensor leading;  ///< its variance serves both
  torch::Tensor following;
  torch::Tensor weight;
  torch::Tensor bias;
  std::vector<torch::Tensor> all() const { return {leading, following, weight, bias}; }
};

/// The same numbers as leaves of another type.
Case leaves(const Case& from, torch::ScalarType type) {
  const auto leaf = [&](const torch::Tensor& t) { return t.detach().to(type).requires_grad_(true); };
  return {leaf(from.leading), leaf(from.following), leaf(from.weight), leaf(from.bias)};
}

/// By libtorch's own rules, operator by operator.
std::pair<torch::Tensor, torch::Tensor> plain(const torch::Tensor& x, const Case& with, torch::Tensor variance) {
  const bool image = x.dim() == 4;
  const auto mean_of = [&](const torch::Tensor& t) { return image ? t.mean({0, 2, 3}) : t.mean(0); };
  const auto shaped = [&](const torch::Tensor& t) { return image ? t.view({1, -1, 1, 1}) : t; };
  const torch::Tensor mean = mean_of(x);
  if (!variance.defined()) variance = mean_of((x - shaped(mean)).square());
  const torch::Tensor factor = with.weight / torch::sqrt(variance + epsilon);
  return {(x - shaped(mean)) * shaped(factor) + shaped(with.bias), variance};
}

void check(const std::vector<std::int64_t>& leading, const std::vector<std::int64_t>& following) {
  torch::manual_seed(3);
  const std::int64_t channels = leading[1];
  const auto numbers = [](const std::vector<std::int64_t>& shape) { return torch::randn(shape) * 3 + 5; };
  const Case single =
      leaves({numbers(leading), numbers(following), torch::randn({channels}), torch::randn({channels})}, torch::kFloat);
  const Case exact = leaves(single, torch::kDouble);
  const torch::Tensor first = torch::randn(leading);
  const torch::Tensor second = torch::randn(following);

  const NormalizedChannels lead = normalize_channels(single.leading, single.weight, single.bias, {}, epsilon);
  const NormalizedChannels follow =
      normalize_channels(single.following, single.weight, single.bias, lead.variance, epsilon);
  ((lead.output * first).sum() + (follow.output * second).sum()).backward();

  const auto [lead_output, variance] = plain(exact.leading, exact, {});
  const auto [follow_output, same] = plain(exact.following, exact, variance);
  ((lead_output * first).sum() + (follow_output * second).sum()).backward();

  EXPECT_TRUE(torch::allclose(lead.output.to(torch::kDouble), lead_output, 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(follow.output.to(torch::kDouble), follow_output, 1e-4, 1e-4));
  EXPECT_TRUE(torch::allclose(lead.variance.to(torch::kDouble), variance, 1e-4, 1e-4));
  for (std::size_t i = 0; i < single.all().size(); ++i) {
    EXPECT_TRUE(torch::allclose(single.all()[i].grad().to(torch::kDouble), exact.all()[i].grad(), 1e-3, 1e-3)) << i;
  }
}

TEST(NormalizeChannels, GradientsAreThoseOfThePlainOperators) {
  check({6, 16, 9, 7}, {4, 16, 9, 7});
  check({3, 5, 20, 11}, {3, 5, 20, 11});  // channels that fill no vector
  check({40, 12}, {30, 12});
}

TEST(NormalizeChannels, InBfloat16IsTheSameUpToItsRounding) {
  torch::manual_seed(4);
  const torch::Tensor x = torch::randn({8, 16, 10, 10}).to(torch::kBFloat16);
  const torch::Tensor gradient = torch::randn({8, 16, 10, 10}).to(torch::kBFloat16);
  const torch::Tensor weight = torch::randn({16});
  const torch::Tensor bias = torch::randn({16});
  const auto run = [&](torch::ScalarType type) {
    const torch::Tensor leaf = x.to(type, false, true).requires_grad_(true);
    const NormalizedChannels made = normalize_channels(leaf, weight, bias, {}, epsilon);
    made.output.backward(gradient.to(type));
    return std::pair(made.output.to(torch::kFloat), leaf.grad().to(torch::kFloat));
  };
  const auto [narrow, narrow_gradient] = run(torch::kBFloat16);
  const auto [wide, wide_gradient] = run(torch::kFloat);
  EXPECT_TRUE(torch::allclose(narrow, wide, 1.0 / 256, 1e-3));  // 8 bits of significand
  EXPECT_TRUE(torch::allclose(narrow_gradient, wide_gradient, 1.0 / 256, 1e-3));
}

}  // namespace
}  // namespace trimtab
