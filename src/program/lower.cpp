#include "program/lower.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "program/images.h"
#include "program/lowering_input.h"
#include "program/overflow.h"
#include "program/requantization.h"

namespace trimtab {
namespace {

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

/// Weights {O, H, W, I} from {O, I, H, W}.
std::vector<std::int16_t> channels_last(const std::vector<std::int16_t>& weights, std::array<std::int64_t, 4> shape) {
  const auto [outputs, inputs, height, width] = shape;
  std::vector<std::int16_t> result;
  result.reserve(weights.size());
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        for (std::int64_t i = 0; i < inputs; ++i) {
          result.push_back(weights[static_cast<std::size_t>(((o * inputs + i) * height + y) * width + x)]);
        }
      }
    }
  }
  return result;
}

class Lowering {
 public:
  Lowering(const LoweringInput& input, const Preprocessing& preprocessing, const std::vector<std::string>& classes)
      : input_(input), graph_(*input.graph), layers_(fuse_layers(graph_)) {
    program_.name = graph_.name;
    program_.classes = classes;
    program_.preprocessing = preprocessing;
    program_.points.clear();
    for (const NumbersAtPoint& point : input.points) program_.points.push_back({point.plan, 0, {}});
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
  [[nodiscard]] std::size_t points() const { return input_.points.size(); }

  [[nodiscard]] const ActivationGrid& grid_in(const std::vector<std::optional<ActivationGrid>>& grids,
                                              ValueId value) const {
    const auto& grid = grids.at(static_cast<std::size_t>(value));
    if (!grid.has_value()) throw failure("value '{}' has no grid", graph_.values[static_cast<std::size_t>(value)].name);
    return *grid;
  }
  /// How a value lies in memory, at all points.
  [[nodiscard]] const ActivationGrid& format_of(ValueId value) const { return grid_in(input_.formats, value); }
  [[nodiscard]] const ActivationGrid& grid_of(ValueId value, std::size_t point) const {
    return grid_in(input_.points[point].values, value);
  }
  [[nodiscard]] std::int64_t largest_of(ValueId value, std::size_t point) const {
    return largest_magnitude(grid_of(value, point));
  }

  /// factor(point), or factors(point), for all points.
  template <typename Function>
  [[nodiscard]] std::vector<std::vector<double>> for_points(const Function& function) const {
    std::vector<std::vector<double>> result;
    for (std::size_t k = 0; k < points(); ++k) {
      if constexpr (std::is_same_v<decltype(function(k)), double>) {
        result.push_back({function(k)});
      } else {
        result.push_back(function(k));
      }
    }
    return result;
  }

  BufferId add_buffer(ValueId value) {
    program_.buffers.push_back(make_buffer(graph_.values[static_cast<std::size_t>(value)], format_of(value)));
    const auto id = static_cast<BufferId>(program_.buffers.size() - 1);
    buffers_[value] = id;
    return id;
  }

  BufferId buffer_of(ValueId value) const { return buffers_.at(value); }
  Buffer& buffer(BufferId id) { return program_.buffers[static_cast<std::size_t>(id)]; }

  /// `numbers`: by operating point.
  void add_step(const std::string& name, Operation operation, const std::vector<BufferId>& inputs, BufferId output,
                std::vector<PointNumbers> numbers) {
    set_numbers(operation, numbers.front());
    const bool differ = std::any_of(numbers.begin(), numbers.end(),
                                    [&](const PointNumbers& other) { return other != numbers.front(); });
    if (!differ) numbers.clear();
    program_.steps.push_back({name, std::move(operation), inputs, output, std::move(numbers)});
  }
  void add_step(const Layer& layer, Operation operation, const std::vector<BufferId>& inputs,
                std::vector<PointNumbers> numbers) {
    const BufferId output = add_buffer(layer.output);
    add_step(layer.name, std::move(operation), inputs, output, std::move(numbers));
  }

  /// By operating point: the range to which a layer's output saturates, its grid, narrowed by its activation function.
  [[nodiscard]] std::vector<PointNumbers> output_ranges(const Layer& layer) const {
    std::vector<PointNumbers> numbers(points());
    for (std::size_t k = 0; k < points(); ++k) {
      const ActivationGrid& grid = grid_of(layer.output, k);
      numbers[k].output_minimum = grid.minimum();
      numbers[k].output_maximum = grid.maximum();
      if (layer.activation < 0) continue;
      numbers[k].output_minimum = 0;
      const Operator& op = graph_.nodes[static_cast<std::size_t>(layer.activation)].op;
      if (const auto* clip = std::get_if<Clip>(&op)) {
        numbers[k].output_maximum = std::min(numbers[k].output_maximum, quantize(clip->high, grid));
      }
    }
    return numbers;
  }
  static void set_shifts(std::vector<PointNumbers>& numbers, const Requantization& requantization) {
    for (std::size_t k = 0; k < numbers.size(); ++k) numbers[k].shift = requantization.shift[k];
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
            [&](const ScalarFunction& op) { lower_function(layer, [&](double x) { return evaluate(op, x); }); },
            [&](const auto& op) {
              throw bad_input("layer '{}' is a {}, which has no integer form for a device", layer.name,
                              operator_name(op));
            }},
        graph_.nodes[static_cast<std::size_t>(layer.node)].op);
  }

  /// Biases, multipliers and the overflow check that all convolutions share. `weights` are in place already;
  /// weight_scale(k): by output channel, the real weight that the integer 1 stands for at point k.
  template <typename WeightScale>
  void finish_convolution(const Layer& layer, ConvolutionStep step, const WeightScale& weight_scale,
                          const std::vector<int>& weight_bits) {
    step.convolution.output.channels = static_cast<std::int16_t>(weight_scale(0).size());
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
        for (const double scale : weight_scale(k)) {
          unit.push_back(std::ldexp(static_cast<double>(grid_of(layer.inputs[0], k).scale) * scale, dropped));
        }
        return unit;
      });
      const Requantization requantization = requantization_of(for_points([&](std::size_t k) {
                                                                std::vector<double> factors = units[k];
                                                                for (double& factor : factors)
                                                                  factor /= grid_of(layer.output, k).scale;
                                                                return factors;
                                                              }),
                                                              layer.name);
      set_shifts(numbers, requantization);
      if (dropped < most_dropped && !biases_fit(layer, units)) continue;
      for (std::size_t k = 0; k < points(); ++k) numbers[k].bias = integer_biases(layer, k, units[k]);
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

  [[nodiscard]] const std::vector<float>& real_biases(const Layer& layer, std::size_t point) const {
    const auto node = static_cast<std::size_t>(layer.node);
    const auto* affine = std::get_if<Affine>(&graph_.nodes[node].op);
    return affine != nullptr ? affine->offset.data : input_.points[point].bias.at(node);
  }
  /// A layer's biases at a point, in units of its accumulators.
  [[nodiscard]] std::vector<std::int32_t> integer_biases(const Layer& layer, std::size_t point,
                                                         const std::vector<double>& units) const {
    const std::vector<float>& real = real_biases(layer, point);
    std::vector<std::int32_t> integers;
    for (std::size_t o = 0; o < units.size(); ++o) {
      integers.push_back(real.empty() ? 0 : nearest_integer(real[o] / units[o], layer.name));
    }
    return integers;
  }
  [[nodiscard]] bool biases_fit(const Layer& layer, const std::vector<std::vector<double>>& units) const {
    for (std::size_t k = 0; k < points(); ++k) {
      const std::vector<float>& real = real_biases(layer, k);
      for (std::size_t o = 0; o < real.size(); ++o) {
        if (!(std::abs(real[o] / units[k][o]) < std::numeric_limits<std::int32_t>::max())) return false;
      }
    }
    return true;
  }

  /// Says which filter, at which point, exceeds 32 bits.
  [[nodiscard]] std::optional<std::string> overflowing_filter(const std::vector<std::vector<std::int64_t>>& sums,
                                                              int dropped,
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

  /// The same for a Conv or Linear with weights {outputs, inputs, height, width} in its tensor.
  void finish_weighted(const Layer& layer, ConvolutionStep step, std::array<std::int64_t, 4> shape) {
    const auto node = static_cast<std::size_t>(layer.node);
    const auto grid = [&](std::size_t k) -> const WeightGrid& { return *input_.points[k].weights.at(node); };
    const IntegerWeights& weights = *input_.weights.at(node);
    step.weight_code = weights.code;
    step.weights = channels_last(weights.stored, shape);
    std::vector<int> bits;
    for (std::size_t k = 0; k < points(); ++k) bits.push_back(grid(k).bits);
    finish_convolution(
        layer, std::move(step), [&](std::size_t k) -> const std::vector<float>& { return grid(k).scale; }, bits);
  }

  void lower_conv(const Layer& layer, const Conv& op) {
    const Shape& shape = op.weight.shape;
    ConvolutionStep step;
    step.convolution.window = window_of({shape[2], shape[3]}, op.stride, op.dilation, op.padding);
    step.convolution.groups = static_cast<std::int16_t>(op.groups);
    const ActivationGrid& input = format_of(layer.inputs[0]);
    for (const float value : op.padding_value.data)
      step.padding_value.push_back(static_cast<std::int16_t>(quantize(value, input)));
    finish_weighted(layer, std::move(step), {shape[0], shape[1], shape[2], shape[3]});
  }

  /// A vector that is a flattened image is read as that image: the weights go from channels-first order to the image's.
  void lower_linear(const Layer& layer, const Linear& op) {
    const Buffer& input = buffer(buffer_of(layer.inputs[0]));
    ConvolutionStep step;
    step.convolution.window = window_of({input.height, input.width}, {1, 1}, {1, 1}, {});
    step.convolution.groups = 1;
    finish_weighted(layer, std::move(step), {op.weight.shape[0], input.channels, input.height, input.width});
  }

  /// A depthwise 1x1 convolution whose weights are one: the scale goes into the multiplier, exactly.
  void lower_affine(const Layer& layer, const Affine& op) {
    ConvolutionStep step;
    step.convolution.window = window_of({1, 1}, {1, 1}, {1, 1}, {});
    step.convolution.groups = static_cast<std::int16_t>(op.scale.data.size());
    for (const float scale : op.scale.data) step.weights.push_back(scale == 0 ? 0 : 1);
    const auto scale = [&](std::size_t k) {
      std::vector<float> scales = op.scale.data;
      // Any unit serves a constant channel; this one gives it the output's own resolution.
      const float unit = grid_of(layer.output, k).scale / grid_of(layer.inputs[0], k).scale / 256;
      for (float& own : scales) own = own == 0 ? unit : own;
      return scales;
    };
    finish_convolution(layer, std::move(step), scale, std::vector<int>(points(), 2));
  }

  void lower_pool(const Layer& layer, const Pool& op) {
    const Buffer& input = buffer(buffer_of(layer.inputs[0]));
    const Shape& output = graph_.shape_of(layer.output);
    if (op.kind == PoolKind::max) {
      check_same_grid(layer);
      MaxPoolStep step;
      step.pool.window = window_of(op.kernel, op.stride, op.dilation, op.padding);
      add_step(layer, step, {buffer_of(layer.inputs[0])}, output_ranges(layer));
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
    const Requantization requantization = requantization_of(
        for_points([&](std::size_t k) {
          const double ratio = static_cast<double>(grid_of(layer.inputs[0], k).scale) / grid_of(layer.output, k).scale;
          std::vector<double> factors;
          for (int divisor = fixed_divisor ? count : 1; divisor <= count; ++divisor) factors.push_back(ratio / divisor);
          return factors;
        }),
        layer.name);
    std::vector<PointNumbers> numbers = output_ranges(layer);
    set_shifts(numbers, requantization);
    for (std::size_t k = 0; k < points(); ++k) {
      if (fits_after_shift(largest_of(layer.inputs[0], k) * count, numbers[k].shift)) continue;
      throw bad_input("layer '{}' could overflow its 32-bit sum; give its input fewer bits", layer.name);
    }
    step.multiplier = requantization.multiplier;
    add_step(layer, std::move(step), {buffer_of(layer.inputs[0])}, std::move(numbers));
  }

  /// The operands of an Add or Mul, the one that is broadcast last.
  std::pair<ValueId, ValueId> operands(const Layer& layer) const {
    std::pair<ValueId, ValueId> values{layer.inputs.at(0), layer.inputs.at(1)};
    if (element_count(graph_.shape_of(values.first)) < element_count(graph_.shape_of(values.second)))
      std::swap(values.first, values.second);
    return values;
  }

  /// The multipliers serve all points: at a point whose operands are larger by 2^growth than at the first, the sum is
  /// shifted right by so much less.
  void lower_add(const Layer& layer) {
    const std::pair<ValueId, ValueId> values = operands(layer);
    const ValueId a = values.first;
    const ValueId b = values.second;
    const auto factors_of = [&](ValueId value) {
      return for_points([&, value](std::size_t k) {
        return static_cast<double>(grid_of(value, k).scale) / grid_of(layer.output, k).scale;
      });
    };
    const auto factors_a = factors_of(a);
    const auto factors_b = factors_of(b);
    std::vector<int> growths;
    for (std::size_t k = 0; k < points(); ++k) {
      growths.push_back(growth_of(factors_a, k, layer.name));
      if (growths[k] != growth_of(factors_b, k, layer.name))
        throw failure("the inputs of '{}' have different scales", layer.name);
    }
    const auto multiplier = [](double factor, int shift) { return std::floor(std::ldexp(factor, shift) + 0.5); };
    const auto fits = [&](int first_shift) {
      for (std::size_t k = 0; k < points(); ++k) {
        const double multiplier_a = multiplier(factors_a[0][0], first_shift);
        const double multiplier_b = multiplier(factors_b[0][0], first_shift);
        constexpr double most = std::numeric_limits<std::int32_t>::max();
        const int shift = first_shift - growths[k];
        if (shift < 1 || shift > 30 || multiplier_a > most || multiplier_b > most) return false;
        const std::int64_t largest =
            largest_addition(static_cast<std::int64_t>(multiplier_a), static_cast<std::int64_t>(multiplier_b), shift,
                             largest_of(a, k), largest_of(b, k));
        if (!fits_after_shift(largest, 0)) return false;
      }
      return true;
    };
    int first_shift = 30 + *std::max_element(growths.begin(), growths.end());
    while (first_shift > 0 && !fits(first_shift)) --first_shift;
    if (first_shift == 0) throw bad_input("layer '{}' adds values of too different scales", layer.name);
    AdditionStep step;
    step.addition.multiplier_a = static_cast<std::int32_t>(multiplier(factors_a[0][0], first_shift));
    step.addition.multiplier_b = static_cast<std::int32_t>(multiplier(factors_b[0][0], first_shift));
    std::vector<PointNumbers> numbers = output_ranges(layer);
    for (std::size_t k = 0; k < points(); ++k) numbers[k].shift = static_cast<std::uint8_t>(first_shift - growths[k]);
    add_step(layer, step, {buffer_of(a), buffer_of(b)}, std::move(numbers));
  }

  void lower_mul(const Layer& layer) {
    const auto [a, b] = operands(layer);
    const Requantization requantization = requantization_of(for_points([&, first = a, second = b](std::size_t k) {
                                                              return static_cast<double>(grid_of(first, k).scale) *
                                                                     grid_of(second, k).scale /
                                                                     grid_of(layer.output, k).scale;
                                                            }),
                                                            layer.name);
    std::vector<PointNumbers> numbers = output_ranges(layer);
    set_shifts(numbers, requantization);
    for (std::size_t k = 0; k < points(); ++k) {
      if (fits_after_shift(largest_of(a, k) * largest_of(b, k), numbers[k].shift)) continue;
      throw bad_input("layer '{}' could overflow 32 bits; give its inputs fewer bits", layer.name);
    }
    MultiplicationStep step;
    step.multiplication.multiplier = requantization.multiplier[0];
    add_step(layer, step, {buffer_of(a), buffer_of(b)}, std::move(numbers));
  }

  /// `input`, `output`: the values whose grids the buffers have.
  void lower_rescale(const Layer& layer, ValueId input, BufferId from, BufferId to) {
    RescaleStep step;
    std::vector<PointNumbers> numbers(points());
    for (std::size_t k = 0; k < points(); ++k) {
      numbers[k].output_minimum = grid_of(layer.output, k).minimum();
      numbers[k].output_maximum = grid_of(layer.output, k).maximum();
    }
    const auto same = [&](std::size_t k) { return grid_of(input, k) == grid_of(layer.output, k); };
    bool copies = true;
    for (std::size_t k = 0; k < points(); ++k) copies = copies && same(k);
    if (!copies) {
      const Requantization requantization =
          requantization_of(for_points([&](std::size_t k) {
                              return static_cast<double>(grid_of(input, k).scale) / grid_of(layer.output, k).scale;
                            }),
                            layer.name);
      step.rescale.multiplier = requantization.multiplier[0];
      set_shifts(numbers, requantization);
    }
    add_step(layer.name, step, {from}, to, std::move(numbers));
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
      if (!movable) lower_rescale(layer, input, part, target);
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
    check_same_grid(layer);
    buffers_[layer.output] = buffer_of(layer.inputs[0]);
  }

  template <typename Function>
  void lower_function(const Layer& layer, const Function& function) {
    if (points() > 1) throw bad_input("layer '{}' has no form for several operating points", layer.name);
    const ActivationGrid& input = grid_of(layer.inputs[0], 0);
    const ActivationGrid& output = grid_of(layer.output, 0);
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
    add_step(layer, std::move(step), {buffer_of(layer.inputs[0])}, std::vector<PointNumbers>(1));
  }

  void check_same_grid(const Layer& layer) const {
    for (std::size_t k = 0; k < points(); ++k) {
      if (grid_of(layer.inputs[0], k) != grid_of(layer.output, k))
        throw failure("layer '{}' changes the grid", layer.name);
    }
  }

  const LoweringInput& input_;
  const Graph& graph_;
  std::vector<Layer> layers_;
  Program program_;
  std::map<ValueId, BufferId> buffers_;
};

}  // namespace

Program lower(const QuantizedNetwork& network, const Preprocessing& preprocessing,
              const std::vector<std::string>& classes) {
  return Lowering(lowering_input(network), preprocessing, classes).run();
}

Program lower(const NestedNetwork& network, const std::vector<OperatingPoint>& points,
              const Preprocessing& preprocessing, const std::vector<std::string>& classes) {
  return Lowering(lowering_input(network, points), preprocessing, classes).run();
}

std::vector<std::string> undeployable_layers(const Graph& prepared) {
  std::vector<std::string> names;
  for (const Layer& layer : fuse_layers(prepared)) {
    const Operator& op = prepared.nodes[static_cast<std::size_t>(layer.node)].op;
    const auto* concat = std::get_if<Concat>(&op);
    if (std::holds_alternative<Softmax>(op) || std::holds_alternative<Pad>(op) || std::holds_alternative<Gather>(op) ||
        std::holds_alternative<Permute>(op) || (concat != nullptr && concat->axis != 0)) {
      names.push_back(fmt::format("'{}' ({})", layer.name, operator_name(op)));
    }
  }
  return names;
}

}  // namespace trimtab
