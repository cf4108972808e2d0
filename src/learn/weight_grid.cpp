#include "learn/weight_grid.h"

#include <algorithm>
#include <cmath>

namespace trimtab {

namespace {

/// Accumulators keep this many units free for a bias; real networks need far less, dead channels with a bias far more.
constexpr float largest_bias = 16777216.0F;
/// Likewise where weights have more than 8 bits: their sums have 64 bits, of which lowering drops the lowest.
constexpr float largest_wide_bias = 1099511627776.0F;
/// A channel whose weights are smaller than this part of the layer's largest is as good as dead: its scale is kept up
/// so that the multipliers of a layer stay within one shift.
constexpr float smallest_scale_ratio = 1e-6F;
/// Units of the accumulator that the largest bias of a layer without weights takes.
constexpr float bias_digits = 1048576.0F;

double squared_error(std::span<const float> weights, float scale, int bits) {
  const float low = -std::ldexp(1.0F, bits - 1);
  const float high = -low - 1;
  const float inverse = 1 / scale;
  double sum = 0;
  for (const float weight : weights) {
    const float level = std::clamp(std::floor(weight * inverse + 0.5F), low, high);
    const float error = weight - level * scale;
    sum += static_cast<double>(error) * static_cast<double>(error);
  }
  return sum;
}

/// The scale of a grid of these bits on which all weights lie already, as in a network that comes quantized; else 0.
float scale_without_loss(std::span<const float> weights, int bits) {
  constexpr double tolerance = 1e-3;  // of a step
  const int half = 1 << (bits - 1);
  const float extreme =
      *std::max_element(weights.begin(), weights.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
  for (int largest = 1; largest <= half; ++largest) {
    const double scale =
        largest < half ? std::abs(static_cast<double>(extreme)) / largest : -static_cast<double>(extreme) / half;
    const bool on_grid = std::all_of(weights.begin(), weights.end(), [&](float weight) {
      const double level = weight / scale;
      const double nearest = std::round(level);
      return std::abs(level - nearest) <= tolerance && nearest >= -half && nearest < half;
    });
    if (on_grid) return static_cast<float>(scale);
  }
  return 0;
}

}  // namespace

std::int32_t quantize_weight(float weight, float scale, int bits) {
  const double limit = std::ldexp(1.0, bits - 1);
  const double level = std::floor(static_cast<double>(weight) / static_cast<double>(scale) + 0.5);
  return static_cast<std::int32_t>(std::clamp(level, -limit, limit - 1));
}

float weight_scale(std::span<const float> weights, int bits, RangeMethod method) {
  const auto [low, high] = std::minmax_element(weights.begin(), weights.end());
  if (weights.empty() || (*low == 0 && *high == 0)) {
    return 0;
  }
  if (const float scale = bits <= 8 ? scale_without_loss(weights, bits) : 0; scale != 0) return scale;
  const float limit = std::ldexp(1.0F, bits - 1);
  const float upright = std::max(*high / (limit - 1), -*low / limit);
  const float mirrored = std::max(*high / limit, -*low / (limit - 1));
  const float whole = std::min(upright, mirrored);
  const float sign = mirrored < upright ? -1.0F : 1.0F;
  if (method != RangeMethod::mse) {
    return sign * whole;
  }
  // The error as a function of the scale has many local minima: a dense grid, both ways round.
  constexpr int steps = 96;
  float best = sign * whole;
  double least = squared_error(weights, best, bits);
  for (int step = 1; step < steps; ++step) {
    const float scale = std::max(upright, mirrored) * (1 - 0.85F * static_cast<float>(step) / steps);
    for (const float candidate : {scale, -scale}) {
      const double error = squared_error(weights, candidate, bits);
      if (error < least) {
        least = error;
        best = candidate;
      }
    }
    if (bits >= 6 && scale < 0.4F * whole) {
      break;  // fine grids gain nothing from saturating more than half of the range
    }
  }
  return best;
}

WeightGrid make_weight_grid(const Tensor& weight, const Tensor& bias, float input_scale, int bits, RangeMethod method) {
  const auto channels = static_cast<std::size_t>(weight.shape.at(0));
  const std::size_t per_channel = weight.data.size() / channels;
  WeightGrid grid{bits, std::vector<float>(channels)};
  for (std::size_t c = 0; c < channels; ++c) {
    grid.scale[c] = weight_scale(std::span(weight.data).subspan(c * per_channel, per_channel), bits, method);
  }
  keep_scales_up(grid, bias, input_scale);
  return grid;
}

void keep_scales_up(WeightGrid& grid, const Tensor& bias, float input_scale) {
  float largest = 0;
  for (const float scale : grid.scale) {
    largest = std::max(largest, std::abs(scale));
  }
  float smallest = largest * smallest_scale_ratio;
  if (largest == 0) {  // a layer of biases: any scale will do that leaves them enough digits
    const auto by_size = [](float a, float b) { return std::abs(a) < std::abs(b); };
    const float most = bias.empty() ? 0.0F : std::abs(*std::ranges::max_element(bias.data, by_size));
    smallest = most > 0 ? most / (input_scale * bias_digits) : 1.0F;
  }
  for (std::size_t c = 0; c < grid.scale.size(); ++c) {
    const float most = grid.bits > 8 ? largest_wide_bias : largest_bias;
    const float for_bias = bias.empty() ? 0.0F : std::abs(bias.data[c]) / (input_scale * most);
    const float least = std::max(smallest, for_bias);
    if (std::abs(grid.scale[c]) < least) {
      grid.scale[c] = std::copysign(least, grid.scale[c]);
    }
  }
}

void round_to_grid(Tensor& weight, const WeightGrid& grid) {
  const std::size_t per_channel = weight.data.size() / grid.scale.size();
  for (std::size_t i = 0; i < weight.data.size(); ++i) {
    const float scale = grid.scale[i / per_channel];
    weight.data[i] = static_cast<float>(quantize_weight(weight.data[i], scale, grid.bits)) * scale;
  }
}

}  // namespace trimtab
