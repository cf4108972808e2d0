#include "learn/nested_rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "learn/input_moments.h"
#include "learn/nested_grid.h"

namespace trimtab {
namespace {

constexpr std::size_t precisions = rounding_bits.size();
constexpr std::size_t all_digits = 256;
constexpr int most_sweeps = 20;

constexpr std::int64_t most_inputs = 1200;
constexpr std::int64_t positions_per_sample = 64;
/// Added to the diagonal of the moments, as a share of its mean: inputs that hardly vary on these samples may
/// elsewhere.
constexpr float damping = 0.01F;
/// Scales that are tried, as factors of the one that the weights alone would choose.
constexpr int scales = 12;
constexpr float least_scale = 0.6F;
constexpr float largest_scale = 1.3F;
/// Importance of a precision: its output error at the start, to the power of this. At 0 the sum is nearly the error at
/// the fewest bits; at -1 every precision may lose the same share, and 8 bits, which have plenty, hinder 4.
/// (MobileNetV1 with powers 0, -0.4 and -1, digits alone: 0.71, 0.88 and 1.29 nats lost at 4 bits, 0.08, 0.05 and 0.04
/// at 6.)
constexpr double balance = -0.5;

using Levels = std::array<std::array<float, all_digits>, precisions>;

/// Of all digits, from -128 on.
Levels make_levels() {
  Levels levels{};
  for (std::size_t p = 0; p < precisions; ++p) {
    for (std::size_t d = 0; d < all_digits; ++d)
      levels[p][d] = nested_level(static_cast<int>(d) - 128, rounding_bits[p]);
  }
  return levels;
}

/// In units of the scale.
std::vector<float> weight_errors(std::span<const float> weights, float scale, std::span<const std::int8_t> digits,
                                 int bits) {
  std::vector<float> errors;
  for (std::size_t i = 0; i < weights.size(); ++i) errors.push_back(nested_level(digits[i], bits) - weights[i] / scale);
  return errors;
}

void add_multiple(float factor, std::span<const float> row, std::vector<float>& sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += factor * row[i];
}

/// H e: half the gradient of the output error.
std::vector<float> half_gradient(std::span<const float> errors, std::span<const float> moments) {
  const std::size_t n = errors.size();
  std::vector<float> result(n, 0);
  for (std::size_t i = 0; i < n; ++i) add_multiple(errors[i], moments.subspan(i * n, n), result);
  return result;
}

double weighted_sum(const ByRoundingBits& errors, const ByRoundingBits& importance) {
  double sum = 0;
  for (std::size_t p = 0; p < precisions; ++p) sum += errors[p] * importance[p];
  return sum;
}

/// The best scale for plain rounding, then the digits at this scale. (Digits for every scale would
/// take ten times as long and gain a tenth of what is lost at 4 bits.)
void store_channel(std::span<const float> weights, std::span<const float> moments, float& scale,
                   std::span<std::int8_t> digits) {
  ByRoundingBits importance = output_errors(weights, scale, moments, digits);
  for (double& error : importance) error = std::pow(std::max(error, 1e-30), balance);
  const float start = scale;
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::int8_t> rounded(weights.size());
  for (int k = 0; k < scales; ++k) {
    const float candidate =
        start * (least_scale + (largest_scale - least_scale) * static_cast<float>(k) / (scales - 1));
    std::transform(weights.begin(), weights.end(), rounded.begin(),
                   [&](float weight) { return quantize_nested(weight, candidate); });
    const double sum = weighted_sum(output_errors(weights, candidate, moments, rounded), importance);
    if (sum >= least) continue;
    least = sum;
    scale = candidate;
    std::copy(rounded.begin(), rounded.end(), digits.begin());
  }
  round_channel(weights, scale, moments, importance, digits);
}

void add_damping(std::span<float> moments, std::size_t size) {
  float sum = 0;
  for (std::size_t i = 0; i < size; ++i) sum += moments[i * size + i];
  const float added = damping * sum / static_cast<float>(size) + std::numeric_limits<float>::min();
  for (std::size_t i = 0; i < size; ++i) moments[i * size + i] += added;
}

}  // namespace

ByRoundingBits output_errors(std::span<const float> weights, float scale, std::span<const float> moments,
                             std::span<const std::int8_t> digits) {
  ByRoundingBits result{};
  for (std::size_t p = 0; p < precisions; ++p) {
    const std::vector<float> errors = weight_errors(weights, scale, digits, rounding_bits[p]);
    const std::vector<float> gradient = half_gradient(errors, moments);
    for (std::size_t i = 0; i < errors.size(); ++i) {
      result[p] += static_cast<double>(errors[i]) * static_cast<double>(gradient[i]);
    }
    result[p] *= static_cast<double>(scale) * static_cast<double>(scale);
  }
  return result;
}

void round_channel(std::span<const float> weights, float scale, std::span<const float> moments,
                   const ByRoundingBits& importance, std::span<std::int8_t> digits) {
  static const Levels levels = make_levels();
  const std::size_t n = weights.size();
  const double total = weighted_sum({1, 1, 1, 1, 1}, importance);
  std::array<float, precisions> share{};
  std::array<std::vector<float>, precisions> gradients;
  std::array<float, all_digits> squares{};  // share * level^2: the part of the sum that is the same for all weights
  for (std::size_t p = 0; p < precisions; ++p) {
    share[p] = static_cast<float>(importance[p] / total);
    gradients[p] = half_gradient(weight_errors(weights, scale, digits, rounding_bits[p]), moments);
    for (std::size_t d = 0; d < all_digits; ++d) squares[d] += share[p] * levels[p][d] * levels[p][d];
  }
  bool moved = true;
  for (int sweep = 0; sweep < most_sweeps && moved; ++sweep) {
    moved = false;
    for (std::size_t i = 0; i < n; ++i) {
      const auto now = static_cast<std::size_t>(digits[i] + 128);
      std::array<float, all_digits> cost = squares;
      for (std::size_t p = 0; p < precisions; ++p) {
        // the error is quadratic in this weight's level, and least at this one
        const float best = levels[p][now] - gradients[p][i] / moments[i * n + i];
        const float factor = -2 * share[p] * best;
        for (std::size_t d = 0; d < all_digits; ++d) cost[d] += factor * levels[p][d];
      }
      const auto least = static_cast<std::size_t>(std::min_element(cost.begin(), cost.end()) - cost.begin());
      // what is less by rounding errors alone would move back and forth
      if (cost[now] - cost[least] <= 1e-6F * squares[now]) continue;
      moved = true;
      digits[i] = static_cast<std::int8_t>(static_cast<int>(least) - 128);
      for (std::size_t p = 0; p < precisions; ++p) {
        const float change = levels[p][least] - levels[p][now];
        if (change != 0) add_multiple(change, moments.subspan(i * n, n), gradients[p]);
      }
    }
  }
}

void learn_rounding(NestedNetwork& network, const Dataset& samples) {
  std::vector<InputMoments> moments = input_moments(network.graph, samples, most_inputs, positions_per_sample);
  for (std::size_t node = 0; node < moments.size(); ++node) {
    InputMoments& own = moments[node];
    if (own.moments.empty()) continue;
    StoredWeights& stored = *network.weights[node];
    const std::vector<float>& weights = weight_of(network.graph.nodes[node].op)->data;
    const auto size = static_cast<std::size_t>(own.size);
    const std::size_t group_channels = stored.scale.size() / static_cast<std::size_t>(own.groups);
    for (std::size_t channel = 0; channel < stored.scale.size(); ++channel) {
      const auto of_group = std::span(own.moments).subspan(channel / group_channels * size * size, size * size);
      if (channel % group_channels == 0) add_damping(of_group, size);
      store_channel(std::span(weights).subspan(channel * size, size), of_group, stored.scale[channel],
                    std::span(stored.digits).subspan(channel * size, size));
    }
  }
}

}  // namespace trimtab
