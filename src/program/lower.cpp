#include "program/lower.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "program/fixed_point.h"
#include "program/images.h"

namespace trimtab {
namespace {

std::int32_t nearest(double value, const std::string& where) {
  const double rounded = std::floor(value + 0.5);
  if (!(std::abs(rounded) <= std::numeric_limits<std::int32_t>::max())) {
    throw bad_input("layer '{}' has a bias of {} in units of its accumulator, which needs more than 32 bits", where,
                    value);
  }
  return static_cast<std::int32_t>(rounded);
}

runtime::Window window_of(const std::array<std::int64_t, 2>& kernel, const std::array<std::int64_t, 2>& stride,
                          const std::array<std::int64_t, 2>& dilation, const Padding& padding) {
  const auto narrow = [](std::int64_t value) { return static_cast<std::int16_t>(value); };
  return {narrow(kernel[0]),   narrow(kernel[1]),   narrow(stride[0]),   narrow(stride[1]),
          narrow(dilation[0]), narrow(dilation[1]), narrow(padding.top), narrow(padding.left)};
}

/// Image of a graph's value: {C,H,W}, or {F} as 1 x 1 x F.
Buffer make_buffer(const Value& value, const ActivationGrid& grid) {
  for (const std::int64_t size : value.shape) {
    if (size > std::numeric_limits<std::int16_t>::max())
      throw bad_input("value '{}' is {}; a device takes at most 32767 per dimension", value.name,
                      to_string(value.shape));
  }
  Buffer buffer;
  buffer.name = value.name;
  buffer.grid = grid;
  buffer.channels = static_cast<std::int32_t>(value.shape.at(0));
  if (value.shape.size() == 3) {
    buffer.height = static_cast<std::int32_t>(value.shape[1]);
    buffer.width = static_cast<std::int32_t>(value.shape[2]);
  } else if (value.shape.size() != 1) {
    throw bad_input("value '{}' has {} dimensions; a device takes images and vectors", value.name, value.shape.size());
  }
  return buffer;
}

/// Integer weights {O, H, W, I} from the real {O, I, H, W}.
std::vector<std::int16_t> integer_weights(const Tensor& real, std::array<std::int64_t, 4> shape,
                                          const WeightGrid& grid) {
  const auto [outputs, inputs, height, width] = shape;
  const std::int64_t low = -(std::int64_t{1} << (grid.bits - 1));
  const std::int64_t high = -low - 1;
  std::vector<std::int16_t> weights;
  weights.reserve(real.data.size());
  for (std::int64_t o = 0; o < outputs; ++o) {
    const double scale = grid.scale.at(static_cast<std::size_t>(o));
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        for (std::int64_t i = 0; i < inputs; ++i) {
          const double value = real.data[static_cast<std::size_t>(((o * inputs + i) * height + y) * width + x)];
          weights.push_back(static_cast<std::int16_t>(
              std::clamp(std::llround(value / scale), static_cast<long long>(low), static_cast<long long>(high))));
        }
      }
    }
  }
  return weights;
}

class Lowering {
 public:
  Lowering(const QuantizedNetwork& network, const Preprocessing& preprocessing, const std::vector<std::string>& classes)
      : network_(network), graph_(network.graph), layers_(fuse_layers(network.graph)) {
    program_.name = graph_.name;
    program_.classes = classes;
    program_.plan = network.plan;
    program_.preprocessing = preprocessing;
  }

  Program run() {
    program_.input = add_buffer(graph_.input);
    for (const Layer& layer : layers_) lower_layer(layer);
    program_.output = buffer_of(graph_.output);
    const Buffer& output = program_.buffers[static_cast<std::size_t>(program_.output)];
    if (output.height * output.width > 1 && graph_.output_shape().size() == 1) {
      throw bad_input(
          "the network's output is a flattened image of {} x {} pixels; a device needs a layer after the flattening",
          output.height, output.width);
    }
    for (Step& step : program_.steps) fill_images(program_, step);
    return std::move(program_);
  }

 private:
  const ActivationGrid& grid_of(ValueId value) const {
    const auto& grid = network_.values.at(static_cast<std::size_t>(value));
    if (!grid.has_value()) throw failure("value '{}' has no grid", graph_.values[static_cast<std::size_t>(value)].name);
    return *grid;
  }

  BufferId add_buffer(ValueId value) {
    program_.buffers.push_back(make_buffer(graph_.values[static_cast<std::size_t>(value)], grid_of(value)));
    const auto id = static_cast<BufferId>(program_.buffers.size() - 1);
    buffers_[value] = id;
    return id;
  }

  BufferId buffer_of(ValueId value) const { return buffers_.at(value); }
  Buffer& buffer(BufferId id) { return program_.buffers[static_cast<std::size_t>(id)]; }

  Step& add_step(const Layer& layer, Operation operation, const std::vector<BufferId>& inputs) {
    program_.steps.push_back({layer.name, std::move(operation), inputs, add_buffer(layer.output)});
    return program_.steps.back();
  }

  /// The range to which a layer's output saturates: its grid, narrowed by its activation function.
  std::pair<std::int32_t, std::int32_t> output_range(const Layer& layer) const {
    const ActivationGrid& grid = grid_of(layer.output);
    std::int32_t low = grid.minimum();
    std::int32_t high = grid.maximum();
    if (layer.activation >= 0) {
      low = 0;
      const Operator& op = graph_.nodes[static_cast<std::size_t>(layer.activation)].op;
      if (const auto* clip = std::get_if<Clip>(&op)) high = std::min(high, quantize(clip->high, grid));
    }
    return {low, high};
  }

  void lower_layer(const Layer& layer) {
    std::visit(
        overloaded{
            [&](const Conv& op) { lower_conv(layer, op); }, [&](const Linear& op) { lower_linear(layer, op); },
            [&](const Affine& op) { lower_affine(layer, op); }, [&](const Pool& op) { lower_pool(layer, op); },
            [&](const GlobalAveragePool&) { lower_global_pool(layer); }, [&](const Add&) { lower_add(layer); },
            [&](const Mul&) { lower_mul(layer); }, [&](const Concat&) { lower_concat(layer); },
            [&](const Reshape&) { lower_reshape(layer); },
            [&](const Relu&) { lower_function(layer, [](double x) { return std::max(x, 0.0); }); },
            [&](const Clip& op) {
              lower_function(layer, [&](double x) { return std::min<double>(std::max<double>(x, op.low), op.high); });
            },
            [&](const LeakyRelu& op) { lower_function(layer, [&](double x) { return x < 0 ? x * op.alpha : x; }); },
            [&](const HardSigmoid& op) {
              lower_function(layer, [&](double x) { return std::clamp(op.alpha * x + op.beta, 0.0, 1.0); });
            },
            [&](const HardSwish&) {
              lower_function(layer, [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); });
            },
            [&](const Sigmoid&) { lower_function(layer, [](double x) { return 1 / (1 + std::exp(-x)); }); },
            [&](const auto& op) {
              throw bad_input("layer '{}' is a {}, which has no integer form for a device", layer.name,
                              operator_name(op));
            }},
        graph_.nodes[static_cast<std::size_t>(layer.node)].op);
  }

  /// Biases, multipliers and the overflow check that all convolutions share. `weights` are in place already.
  void finish_convolution(const Layer& layer, ConvolutionStep& step, const Tensor& bias,
                          const std::vector<float>& weight_scale) {
    const ActivationGrid& input = grid_of(layer.inputs[0]);
    const ActivationGrid& output = grid_of(layer.output);
    const std::size_t outputs = weight_scale.size();
    const std::vector<std::int64_t> sums = largest_sums(step, outputs, largest_magnitude(input));
    // Sums of 16-bit weights lose their lowest bits: as few as let the rest fit.
    const int most_dropped = step.convolution.weight_bits > 8 ? 40 : 0;
    for (int dropped = 0;; ++dropped) {
      std::vector<double> factors;
      std::vector<double> biases;
      for (std::size_t o = 0; o < outputs; ++o) {
        const double unit = std::ldexp(static_cast<double>(input.scale) * weight_scale[o], dropped);
        factors.push_back(unit / output.scale);
        biases.push_back(bias.empty() ? 0 : bias.data[o] / unit);
      }
      FixedPoint fixed = to_fixed_point(factors, layer.name);
      const std::optional<std::size_t> beyond = overflowing_filter(sums, dropped, biases, fixed.shift);
      if (beyond.has_value() && dropped < most_dropped) continue;
      if (beyond.has_value()) {
        throw bad_input(
            "layer '{}' could overflow its 32-bit accumulator (filter {} reaches {} beside its bias); give its input "
            "fewer bits",
            layer.name, *beyond, sums[*beyond]);
      }
      for (const double value : biases) step.bias.push_back(nearest(value, layer.name));
      step.multiplier = std::move(fixed.multiplier);
      step.convolution.shift = fixed.shift;
      step.convolution.sum_shift = static_cast<std::uint8_t>(dropped);
      break;
    }
    std::tie(step.convolution.output_minimum, step.convolution.output_maximum) = output_range(layer);
  }

  /// By filter: the largest sum of products that any input could give.
  static std::vector<std::int64_t> largest_sums(const ConvolutionStep& step, std::size_t filters,
                                                std::int64_t largest_input) {
    for (const std::int16_t value : step.padding_value)
      largest_input = std::max<std::int64_t>(largest_input, std::abs(value));
    const std::size_t size = step.weights.size() / filters;
    std::vector<std::int64_t> sums(filters);
    for (std::size_t i = 0; i < step.weights.size(); ++i) sums[i / size] += std::abs(step.weights[i]) * largest_input;
    return sums;
  }

  static std::optional<std::size_t> overflowing_filter(const std::vector<std::int64_t>& sums, int dropped,
                                                       const std::vector<double>& biases, int shift) {
    for (std::size_t o = 0; o < sums.size(); ++o) {
      const double bound = static_cast<double>(sums[o] >> dropped) + 1 + std::abs(biases[o]) + 1;  // both rounded
      if (std::ldexp(bound, shift) > std::numeric_limits<std::int32_t>::max()) return o;
    }
    return std::nullopt;
  }

  void lower_conv(const Layer& layer, const Conv& op) {
    const WeightGrid& grid = *network_.weights.at(static_cast<std::size_t>(layer.node));
    const Shape& shape = op.weight.shape;
    ConvolutionStep step;
    step.convolution.window = window_of({shape[2], shape[3]}, op.stride, op.dilation, op.padding);
    step.convolution.groups = static_cast<std::int16_t>(op.groups);
    step.convolution.weight_bits = static_cast<std::uint8_t>(grid.bits);
    step.weights = integer_weights(op.weight, {shape[0], shape[1], shape[2], shape[3]}, grid);
    const ActivationGrid& input = grid_of(layer.inputs[0]);
    for (const float value : op.padding_value.data)
      step.padding_value.push_back(static_cast<std::int16_t>(quantize(value, input)));
    finish_convolution(layer, step, op.bias, grid.scale);
    add_step(layer, std::move(step), {buffer_of(layer.inputs[0])});
  }

  /// A vector that is a flattened image is read as that image: the weights go from channels-first order to the image's.
  void lower_linear(const Layer& layer, const Linear& op) {
    const WeightGrid& grid = *network_.weights.at(static_cast<std::size_t>(layer.node));
    const Buffer& input = buffer(buffer_of(layer.inputs[0]));
    ConvolutionStep step;
    step.convolution.window = window_of({input.height, input.width}, {1, 1}, {1, 1}, {});
    step.convolution.groups = 1;
    step.convolution.weight_bits = static_cast<std::uint8_t>(grid.bits);
    step.weights = integer_weights(op.weight, {op.weight.shape[0], input.channels, input.height, input.width}, grid);
    finish_convolution(layer, step, op.bias, grid.scale);
    add_step(layer, std::move(step), {buffer_of(layer.inputs[0])});
  }

  /// A depthwise 1x1 convolution whose weights are one: the scale goes into the multiplier, exactly.
  void lower_affine(const Layer& layer, const Affine& op) {
    ConvolutionStep step;
    step.convolution.window = window_of({1, 1}, {1, 1}, {1, 1}, {});
    step.convolution.groups = static_cast<std::int16_t>(op.scale.data.size());
    step.convolution.weight_bits = 2;
    std::vector<float> scale;
    for (std::size_t c = 0; c < op.scale.data.size(); ++c) {
      const bool constant = op.scale.data[c] == 0;
      step.weights.push_back(constant ? 0 : 1);
      // Any unit serves a constant channel; this one gives it the output's own resolution.
      scale.push_back(constant ? grid_of(layer.output).scale / grid_of(layer.inputs[0]).scale / 256 : op.scale.data[c]);
    }
    finish_convolution(layer, step, op.offset, scale);
    add_step(layer, std::move(step), {buffer_of(layer.inputs[0])});
  }

  void lower_pool(const Layer& layer, const Pool& op) {
    const Buffer& input = buffer(buffer_of(layer.inputs[0]));
    const Shape& output = graph_.shape_of(layer.output);
    if (op.kind == PoolKind::max) {
      if (grid_of(layer.inputs[0]) != grid_of(layer.output))
        throw failure("max pool '{}' changes the grid", layer.name);
      MaxPoolStep step;
      step.pool.window = window_of(op.kernel, op.stride, op.dilation, op.padding);
      std::tie(step.pool.output_minimum, step.pool.output_maximum) = output_range(layer);
      add_step(layer, step, {buffer_of(layer.inputs[0])});
      return;
    }
    // Beyond the padding no divisor counts, so a window that reaches there (ceil_mode) has one of its own.
    const bool overhangs =
        (output[1] - 1) * op.stride[0] + op.kernel[0] > input.height + op.padding.top + op.padding.bottom ||
        (output[2] - 1) * op.stride[1] + op.kernel[1] > input.width + op.padding.left + op.padding.right;
    const bool padded = op.padding != Padding{};
    if (op.count_include_pad && padded && overhangs) {
      throw bad_input(
          "layer '{}' counts padding in windows that reach beyond it (ceil_mode), which has no integer form for a "
          "device",
          layer.name);
    }
    const bool fixed = (op.count_include_pad && padded) || (!padded && !overhangs);
    lower_average(layer, window_of(op.kernel, op.stride, {1, 1}, op.padding), fixed);
  }

  void lower_global_pool(const Layer& layer) {
    const Buffer& input = buffer(buffer_of(layer.inputs[0]));
    lower_average(layer, window_of({input.height, input.width}, {1, 1}, {1, 1}, {}), true);
  }

  void lower_average(const Layer& layer, const runtime::Window& window, bool fixed_divisor) {
    AveragePoolStep step;
    step.pool.window = window;
    step.pool.fixed_divisor = fixed_divisor;
    const int count = window.kernel_height * window.kernel_width;
    const double ratio = static_cast<double>(grid_of(layer.inputs[0]).scale) / grid_of(layer.output).scale;
    std::vector<double> factors;
    for (int divisor = fixed_divisor ? count : 1; divisor <= count; ++divisor) factors.push_back(ratio / divisor);
    FixedPoint fixed = to_fixed_point(factors, layer.name);
    if ((largest_magnitude(grid_of(layer.inputs[0])) * count) << fixed.shift >
        std::numeric_limits<std::int32_t>::max()) {
      throw bad_input("layer '{}' could overflow its 32-bit sum; give its input fewer bits", layer.name);
    }
    step.multiplier = std::move(fixed.multiplier);
    step.pool.shift = fixed.shift;
    std::tie(step.pool.output_minimum, step.pool.output_maximum) = output_range(layer);
    add_step(layer, std::move(step), {buffer_of(layer.inputs[0])});
  }

  /// The operands of an Add or Mul, the one that is broadcast last.
  std::pair<ValueId, ValueId> operands(const Layer& layer) const {
    std::pair<ValueId, ValueId> values{layer.inputs.at(0), layer.inputs.at(1)};
    if (element_count(graph_.shape_of(values.first)) < element_count(graph_.shape_of(values.second)))
      std::swap(values.first, values.second);
    return values;
  }

  void lower_add(const Layer& layer) {
    const auto [a, b] = operands(layer);
    const double output = grid_of(layer.output).scale;
    const double factor_a = grid_of(a).scale / output;
    const double factor_b = grid_of(b).scale / output;
    const auto largest_a = static_cast<double>(largest_magnitude(grid_of(a)));
    const auto largest_b = static_cast<double>(largest_magnitude(grid_of(b)));
    int shift = 1;
    const auto fits = [&](int s) {
      return (factor_a * largest_a + factor_b * largest_b + 1) * std::exp2(s) + largest_a + largest_b < 2147483647.0;
    };
    if (!fits(shift)) throw bad_input("layer '{}' adds values of too different scales", layer.name);
    while (shift < 30 && fits(shift + 1)) ++shift;
    AdditionStep step;
    step.addition.shift = static_cast<std::uint8_t>(shift);
    step.addition.multiplier_a = nearest(factor_a * std::exp2(shift), layer.name);
    step.addition.multiplier_b = nearest(factor_b * std::exp2(shift), layer.name);
    std::tie(step.addition.output_minimum, step.addition.output_maximum) = output_range(layer);
    add_step(layer, step, {buffer_of(a), buffer_of(b)});
  }

  void lower_mul(const Layer& layer) {
    const auto [a, b] = operands(layer);
    const double factor = static_cast<double>(grid_of(a).scale) * grid_of(b).scale / grid_of(layer.output).scale;
    const FixedPoint fixed = to_fixed_point(std::vector<double>{factor}, layer.name);
    if ((largest_magnitude(grid_of(a)) * largest_magnitude(grid_of(b))) << fixed.shift >
        std::numeric_limits<std::int32_t>::max()) {
      throw bad_input("layer '{}' could overflow 32 bits; give its inputs fewer bits", layer.name);
    }
    MultiplicationStep step;
    step.multiplication.multiplier = fixed.multiplier[0];
    step.multiplication.shift = fixed.shift;
    std::tie(step.multiplication.output_minimum, step.multiplication.output_maximum) = output_range(layer);
    add_step(layer, step, {buffer_of(a), buffer_of(b)});
  }

  void lower_rescale(const std::string& name, BufferId from, BufferId to) {
    const ActivationGrid source = buffer(from).grid;
    const ActivationGrid target = buffer(to).grid;
    RescaleStep step;
    step.rescale.output_minimum = target.minimum();
    step.rescale.output_maximum = target.maximum();
    if (source != target) {
      const FixedPoint fixed =
          to_fixed_point(std::vector<double>{static_cast<double>(source.scale) / target.scale}, name);
      step.rescale.multiplier = fixed.multiplier[0];
      step.rescale.shift = fixed.shift;
    }
    program_.steps.push_back({name, step, {from}, to});
  }

  /// Parts are written where they belong; only a part that already lies elsewhere, has another grid or does not start
  /// at a byte is copied.
  void lower_concat(const Layer& layer) {
    const BufferId whole = add_buffer(layer.output);
    std::int32_t channel = 0;
    for (const ValueId input : layer.inputs) {
      const BufferId part = buffer_of(input);
      const int bits = buffer(whole).grid.bits;
      const bool aligned =
          channel * bits % 8 == 0 && (buffer(part).channels * bits % 8 == 0 || input == layer.inputs.back());
      const bool movable = part != program_.input && !buffer(part).parent.has_value() &&
                           buffer(part).grid == buffer(whole).grid && aligned &&
                           std::count(layer.inputs.begin(), layer.inputs.end(), input) == 1;
      BufferId target = part;
      if (!movable) {
        Buffer copy = buffer(part);
        copy.name = layer.name + "." + copy.name;
        copy.grid = buffer(whole).grid;
        copy.parent.reset();
        program_.buffers.push_back(copy);
        target = static_cast<BufferId>(program_.buffers.size() - 1);
        if (!aligned)
          throw bad_input("layer '{}' joins parts of {} channels of {} bits, which do not start at a byte", layer.name,
                          copy.channels, bits);
      }
      buffer(target).parent = whole;
      buffer(target).parent_channel = channel;
      if (!movable) lower_rescale(layer.name, part, target);
      channel += buffer(part).channels;
    }
  }

  /// Only another view: the integers stay where they are.
  void lower_reshape(const Layer& layer) {
    const Shape& from = graph_.shape_of(layer.inputs[0]);
    const Shape& to = graph_.shape_of(layer.output);
    const bool flattens = to.size() == 1;
    const bool extends = from.size() == 1 && to.size() == 3 && to[1] == 1 && to[2] == 1;
    if (!flattens && !extends && from != to) {
      throw bad_input("layer '{}' reshapes {} to {}, which a device cannot do without moving data", layer.name,
                      to_string(from), to_string(to));
    }
    if (grid_of(layer.inputs[0]) != grid_of(layer.output)) throw failure("reshape '{}' changes the grid", layer.name);
    buffers_[layer.output] = buffer_of(layer.inputs[0]);
  }

  template <typename Function>
  void lower_function(const Layer& layer, const Function& function) {
    const ActivationGrid& input = grid_of(layer.inputs[0]);
    const ActivationGrid& output = grid_of(layer.output);
    if (input.bits > 8)
      throw bad_input("layer '{}' is a table lookup and takes at most 8 bits; its input has {}", layer.name,
                      input.bits);
    LookupStep step;
    const int entries = 1 << input.bits;
    for (int pattern = 0; pattern < entries; ++pattern) {
      const int integer = input.is_signed && pattern >= entries / 2 ? pattern - entries : pattern;
      step.table.push_back(static_cast<std::int16_t>(
          quantize(static_cast<float>(function(static_cast<double>(integer) * input.scale)), output)));
    }
    add_step(layer, std::move(step), {buffer_of(layer.inputs[0])});
  }

  const QuantizedNetwork& network_;
  const Graph& graph_;
  std::vector<Layer> layers_;
  Program program_;
  std::map<ValueId, BufferId> buffers_;
};

}  // namespace

Program lower(const QuantizedNetwork& network, const Preprocessing& preprocessing,
              const std::vector<std::string>& classes) {
  return Lowering(network, preprocessing, classes).run();
}

std::vector<std::string> undeployable_layers(const Graph& prepared) {
  std::vector<std::string> names;
  for (const Layer& layer : fuse_layers(prepared)) {
    const Operator& op = prepared.nodes[static_cast<std::size_t>(layer.node)].op;
    if (std::holds_alternative<Softmax>(op) || std::holds_alternative<Pad>(op)) {
      names.push_back(fmt::format("'{}' ({})", layer.name, operator_name(op)));
    }
  }
  return names;
}

}  // namespace trimtab
