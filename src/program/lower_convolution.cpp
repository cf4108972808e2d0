#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/index.h"
#include "program/lowering.h"
#include "program/overflow.h"

namespace trimtab {
namespace {

/// Weights {O, H, W, I} from {O, I, H, W}.
std::vector<std::int16_t> channels_last(const std::vector<std::int16_t>& weights, std::array<std::int64_t, 4> shape) {
  const auto [outputs, inputs, height, width] = shape;
  std::vector<std::int16_t> result;
  result.reserve(weights.size());
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        for (std::int64_t i = 0; i < inputs; ++i) {
          result.push_back(nth(weights, ((o * inputs + i) * height + y) * width + x));
        }
      }
    }
  }
  return result;
}

}  // namespace

/// Biases, multipliers and the overflow check that all convolutions share. `weights` are in place already;
/// scales[k]: by output channel, the real weight that the integer 1 stands for at point k.
void Lowering::finish_convolution(const Layer& layer, ConvolutionStep step,
                                  const std::vector<std::vector<float>>& scales, const std::vector<int>& weight_bits) {
  step.convolution.output.channels = static_cast<std::int16_t>(scales[0].size());
  step.convolution.output_zero = narrow_zero_of(layer.output);
  std::vector<PointNumbers> numbers = output_ranges(layer);
  std::vector<std::vector<std::int64_t>> sums;
  for (std::size_t k = 0; k < points(); ++k) {
    numbers[k].weight_bits = static_cast<std::uint8_t>(weight_bits[k]);
    sums.push_back(largest_sums(step, weight_bits[k], largest_of(layer.inputs[0], k)));
  }
  // Sums of 16-bit weights lose their lowest bits: as few as let the rest fit.
  const int most_dropped = weight_bits[0] > 8 ? 40 : 0;
  for (int dropped = 0;; ++dropped) {
    const auto units = for_points([&](std::size_t k) {
      std::vector<double> unit;
      for (const double scale : scales[k]) {
        unit.push_back(std::ldexp(static_cast<double>(grid_of(layer.inputs[0], k).scale) * scale, dropped));
      }
      return unit;
    });
    std::vector<std::vector<double>> factors = units;
    for (std::size_t k = 0; k < points(); ++k) {
      for (double& factor : factors[k]) factor /= grid_of(layer.output, k).scale;
    }
    const Requantization requantization = requantization_of(factors, layer.name);
    set_shifts(numbers, requantization);
    bool biases_fit = true;
    for (std::size_t k = 0; k < points(); ++k) {
      numbers[k].bias.clear();
      for (const double bias : biases(layer, step, k, weight_bits[k], units[k], dropped)) {
        biases_fit = biases_fit && std::abs(bias) < std::numeric_limits<std::int32_t>::max();
        if (!biases_fit && dropped < most_dropped) break;
        numbers[k].bias.push_back(nearest_integer(bias, layer.name));
      }
    }
    if (dropped < most_dropped && !biases_fit) continue;
    const std::optional<std::string> overflow = overflowing_filter(sums, dropped, numbers);
    if (overflow.has_value() && dropped < most_dropped) continue;
    if (overflow.has_value()) {
      throw bad_input(
          "layer '{}' could overflow its 32-bit accumulator ({}); {}", layer.name, *overflow,
          points() > 1 ? "keep the bits of its output near those of its input" : "give its input fewer bits");
    }
    step.multiplier = requantization.multiplier;
    step.convolution.sum_shift = static_cast<std::uint8_t>(dropped);
    break;
  }
  add_step(layer, std::move(step), {buffer_of(layer.inputs[0])}, std::move(numbers));
}

/// A layer's biases at a point, in units of its accumulators, which count from the input's zero point: that times all
/// weights goes. The output's zero point is no part of them, since it is no whole number of such units.
std::vector<double> Lowering::biases(const Layer& layer, const ConvolutionStep& step, std::size_t point,
                                     int weight_bits, const std::vector<double>& units, int dropped) const {
  const auto node = static_cast<std::size_t>(layer.node);
  const auto* affine = std::get_if<Affine>(&graph_.nodes[node].op);
  const std::vector<float>& real = affine != nullptr ? affine->offset.data : input_.points[point].bias.at(node);
  const std::int32_t input_zero = zero_of(layer.inputs[0], point);
  const std::size_t size = step.weights.size() / units.size();
  std::vector<double> result;
  for (std::size_t o = 0; o < units.size(); ++o) {
    double bias = real.empty() ? 0.0 : real[o] / units[o];
    if (input_zero != 0) {
      std::int64_t weights = 0;
      for (std::size_t i = o * size; i < (o + 1) * size; ++i) weights += integer_weight(step, i, weight_bits);
      bias -= std::ldexp(static_cast<double>(weights * input_zero), -dropped);
    }
    result.push_back(bias);
  }
  return result;
}

/// Says which filter, at which point, exceeds 32 bits.
std::optional<std::string> Lowering::overflowing_filter(const std::vector<std::vector<std::int64_t>>& sums, int dropped,
                                                        const std::vector<PointNumbers>& numbers) const {
  for (std::size_t k = 0; k < points(); ++k) {
    for (std::size_t o = 0; o < sums[k].size(); ++o) {
      if (fits_after_shift(largest_accumulator(sums[k][o], dropped, numbers[k].bias[o]), numbers[k].shift)) continue;
      const std::string text = fmt::format("filter {} reaches {} beside its bias", o, sums[k][o]);
      return points() > 1 ? fmt::format("{} at operating point {}", text, k) : text;
    }
  }
  return std::nullopt;
}

/// Weights, scales and bits of a Conv or Linear with weights {outputs, inputs, height, width} in its tensor.
void Lowering::finish_weighted(const Layer& layer, ConvolutionStep step, std::array<std::int64_t, 4> shape) {
  const auto node = static_cast<std::size_t>(layer.node);
  const IntegerWeights& weights = *input_.weights.at(node);
  step.weight_code = weights.code;
  step.weights = channels_last(weights.stored, shape);
  std::vector<std::vector<float>> scales;
  std::vector<int> bits;
  for (const NumbersAtPoint& point : input_.points) {
    const WeightGrid& grid = *point.weights.at(node);
    scales.push_back(grid.scale);
    bits.push_back(grid.bits);
  }
  finish_convolution(layer, std::move(step), scales, bits);
}

void Lowering::lower_conv(const Layer& layer, const Conv& op) {
  const Shape& shape = op.weight.shape;
  ConvolutionStep step;
  step.convolution.window = window_of({shape[2], shape[3]}, op.stride, op.dilation, op.padding);
  step.convolution.groups = static_cast<std::int16_t>(op.groups);
  const ActivationGrid& input = format_of(layer.inputs[0]);
  for (const float value : op.padding_value.data)
    step.padding_value.push_back(static_cast<std::int16_t>(quantize(value, input)));
  // Beyond the border there are zeros, which is not the integer 0 where the grid has a zero point.
  if (step.padding_value.empty() && op.padding != Padding{} && narrow_zero_of(layer.inputs[0]) != 0)
    step.padding_value.assign(static_cast<std::size_t>(graph_.shape_of(layer.inputs[0])[0]),
                              narrow_zero_of(layer.inputs[0]));
  finish_weighted(layer, std::move(step), {shape[0], shape[1], shape[2], shape[3]});
}

/// A vector that is a flattened image is read as that image: the weights go from channels-first order to the image's.
void Lowering::lower_linear(const Layer& layer, const Linear& op) {
  const Buffer& input = buffer(buffer_of(layer.inputs[0]));
  ConvolutionStep step;
  step.convolution.window = window_of({input.height, input.width}, {1, 1}, {1, 1}, {});
  step.convolution.groups = 1;
  finish_weighted(layer, std::move(step), {op.weight.shape[0], input.channels, input.height, input.width});
}

/// A depthwise 1x1 convolution whose weights are one: the scale goes into the multiplier, exactly.
void Lowering::lower_affine(const Layer& layer, const Affine& op) {
  ConvolutionStep step;
  step.convolution.window = window_of({1, 1}, {1, 1}, {1, 1}, {});
  step.convolution.groups = static_cast<std::int16_t>(op.scale.data.size());
  for (const float scale : op.scale.data) step.weights.push_back(scale == 0 ? 0 : 1);
  std::vector<std::vector<float>> scales(points(), op.scale.data);
  for (std::size_t k = 0; k < points(); ++k) {
    // Any unit serves a constant channel; this one gives it the output's own resolution.
    const float unit = grid_of(layer.output, k).scale / grid_of(layer.inputs[0], k).scale / 256;
    std::replace(scales[k].begin(), scales[k].end(), 0.0F, unit);
  }
  finish_convolution(layer, std::move(step), scales, std::vector<int>(points(), 2));
}

}  // namespace trimtab
