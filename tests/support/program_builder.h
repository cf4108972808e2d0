#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/random.h"
#include "program/program.h"

namespace trimtab {

struct ConvolutionShape {
  int outputs = 1;
  int kernel_height = 1, kernel_width = 1;
  int stride_rows = 1, stride_columns = 1;
  int dilation_rows = 1, dilation_columns = 1;
  int pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int groups = 1;
};

/// A square kernel with equal strides, padded as TensorFlow's SAME: more below and right where it is uneven.
inline ConvolutionShape square(int outputs, int kernel, int stride, int input_size, int groups = 1) {
  const int output_size = (input_size + stride - 1) / stride;
  const int pad = std::max((output_size - 1) * stride + kernel - input_size, 0);
  ConvolutionShape shape;
  shape.outputs = outputs;
  shape.kernel_height = shape.kernel_width = kernel;
  shape.stride_rows = shape.stride_columns = stride;
  shape.pad_top = shape.pad_left = pad / 2;
  shape.pad_bottom = shape.pad_right = pad - pad / 2;
  shape.groups = groups;
  return shape;
}

/// A 1 x 1 kernel with padding below and on the right only: output rows are longer than the input's.
inline ConvolutionShape pointwise_padded_behind() {
  ConvolutionShape shape;
  shape.outputs = 6;
  shape.pad_bottom = 1;
  shape.pad_right = 2;
  return shape;
}

/// Builds programs step by step, with random constants that keep accumulators within 32 bits and spread the outputs
/// over their grid, saturating some.
class ProgramBuilder {
 public:
  /// With several operating points convolutions of at most 8 bits have nested weights and numbers for every point.
  explicit ProgramBuilder(std::uint64_t seed, int operating_points = 1) : random(seed), points(operating_points) {}

  Random random;
  int points;
  bool zero_points = false;  ///< give convolutions, pools, sums, products and changes of grid random zero points
  Program program;

  const Buffer& buffer(BufferId id) const { return program.buffers[static_cast<std::size_t>(id)]; }

  BufferId add_buffer(int height, int width, int channels, const ActivationGrid& grid) {
    Buffer value;
    value.name = "value" + std::to_string(program.buffers.size());
    value.height = height;
    value.width = width;
    value.channels = channels;
    value.grid = grid;
    program.buffers.push_back(value);
    return static_cast<BufferId>(program.buffers.size() - 1);
  }

  /// The size of the output that a window gives.
  static int output_size(int input, int kernel, int stride, int dilation, int pads) {
    return (input + pads - dilation * (kernel - 1) - 1) / stride + 1;
  }

  BufferId convolution(BufferId input, const ConvolutionShape& shape, const ActivationGrid& grid, int weight_bits,
                       bool with_padding_value = false) {
    const Buffer from = buffer(input);
    const BufferId output = add_buffer(output_size(from.height, shape.kernel_height, shape.stride_rows,
                                                   shape.dilation_rows, shape.pad_top + shape.pad_bottom),
                                       output_size(from.width, shape.kernel_width, shape.stride_columns,
                                                   shape.dilation_columns, shape.pad_left + shape.pad_right),
                                       shape.outputs, grid);
    convolution_into(output, input, shape, weight_bits, with_padding_value);
    return output;
  }

  void convolution_into(BufferId output, BufferId input, const ConvolutionShape& shape, int weight_bits,
                        bool with_padding_value = false) {
    const Buffer from = buffer(input);
    const ActivationGrid& grid = buffer(output).grid;
    ConvolutionStep step;
    runtime::Convolution& c = step.convolution;
    c.window = window(shape.kernel_height, shape.kernel_width, shape.stride_rows, shape.stride_columns,
                      shape.dilation_rows, shape.dilation_columns, shape.pad_top, shape.pad_left);
    c.groups = static_cast<std::int16_t>(shape.groups);
    c.weight_bits = static_cast<std::uint8_t>(weight_bits);
    const int filter_size = shape.kernel_height * shape.kernel_width * (from.channels / shape.groups);
    const bool nested = points > 1 && weight_bits <= 8;
    int limit = nested ? 256 : 1 << (weight_bits - 1);  // nested digits make odd integers of 9 bits
    // sums of many 16-bit values have to stay within 32 bits: smaller weights, or, where they have 16 bits, fewer
    // digits
    const auto most = [&] {
      return std::ldexp(largest_magnitude(from.grid) * limit * (filter_size + std::sqrt(filter_size)), -c.sum_shift);
    };
    while (weight_bits == 16 && most() > INT32_MAX / 2) ++c.sum_shift;
    while (most() > INT32_MAX) limit /= 2;
    if (nested) step.weight_code = WeightCode::nested;
    const int stored = nested ? limit / 2 : limit;
    for (int i = 0; i < shape.outputs * filter_size; ++i) {
      step.weights.push_back(static_cast<std::int16_t>(random.integer(-stored, stored - 1)));
    }
    const double largest = std::ldexp(largest_magnitude(from.grid), -c.sum_shift);
    const double typical = largest * limit * std::sqrt(filter_size) / 2;
    const double bound = largest * limit * filter_size + typical + 1;
    c.shift = random_shift(bound);
    for (int o = 0; o < shape.outputs; ++o) {
      step.bias.push_back(static_cast<std::int32_t>(random.uniform(-typical, typical)));
      step.multiplier.push_back(random_multiplier(typical, grid, c.shift));
    }
    if (with_padding_value) {
      for (int i = 0; i < from.channels; ++i) {
        step.padding_value.push_back(
            static_cast<std::int16_t>(random.integer(from.grid.minimum(), std::min(from.grid.maximum(), INT16_MAX))));
      }
    }
    std::tie(c.output_minimum, c.output_maximum) = random_range(grid);
    c.output_zero = random_zero(grid);
    if (nested) c.weight_bits = 8;
    add_step(std::move(step), {input}, output);
    if (!nested) return;
    Step& added = program.steps.back();
    for (int k = 0; k < points; ++k) {
      PointNumbers& numbers = added.points.emplace_back(numbers_of(added.operation));
      if (k == 0) continue;
      numbers.weight_bits = static_cast<std::uint8_t>(random.integer(2, 8));
      numbers.shift = static_cast<std::uint8_t>(random_shift(bound));
      for (std::int32_t& bias : numbers.bias) bias = static_cast<std::int32_t>(random.uniform(-typical, typical));
      std::tie(numbers.output_minimum, numbers.output_maximum) = random_range(grid);
    }
  }

  BufferId max_pool(BufferId input, int kernel, int stride, int pad) {
    const Buffer from = buffer(input);
    const BufferId output = add_buffer(output_size(from.height, kernel, stride, 1, 2 * pad),
                                       output_size(from.width, kernel, stride, 1, 2 * pad), from.channels, from.grid);
    MaxPoolStep step;
    step.pool.window = window(kernel, kernel, stride, stride, 1, 1, pad, pad);
    std::tie(step.pool.output_minimum, step.pool.output_maximum) = random_range(from.grid);
    add_step(step, {input}, output);
    return output;
  }

  BufferId average_pool(BufferId input, int kernel_height, int kernel_width, int stride, int pad, bool fixed_divisor,
                        const ActivationGrid& grid) {
    const Buffer from = buffer(input);
    const BufferId output = add_buffer(output_size(from.height, kernel_height, stride, 1, 2 * pad),
                                       output_size(from.width, kernel_width, stride, 1, 2 * pad), from.channels, grid);
    AveragePoolStep step;
    step.pool.window = window(kernel_height, kernel_width, stride, stride, 1, 1, pad, pad);
    step.pool.fixed_divisor = fixed_divisor;
    const int count = kernel_height * kernel_width;
    step.pool.input_zero = random_zero(from.grid);
    step.pool.output_zero = random_zero(grid);
    step.pool.shift = random_shift(largest_around(from.grid, step.pool.input_zero) * count);
    for (int divisor = fixed_divisor ? count : 1; divisor <= count; ++divisor) {
      step.multiplier.push_back(random_multiplier(largest_magnitude(from.grid) * divisor, grid, step.pool.shift));
    }
    std::tie(step.pool.output_minimum, step.pool.output_maximum) = random_range(grid);
    add_step(std::move(step), {input}, output);
    return output;
  }

  BufferId global_average_pool(BufferId input, const ActivationGrid& grid) {
    return average_pool(input, buffer(input).height, buffer(input).width, 1, 0, true, grid);
  }

  BufferId addition(BufferId a, BufferId b, const ActivationGrid& grid) {
    const BufferId output = add_buffer(buffer(a).height, buffer(a).width, buffer(a).channels, grid);
    AdditionStep step;
    const auto shift = static_cast<int>(random.integer(1, std::max(1, 27 - grid.bits)));
    const auto factor = [&](BufferId id) {
      const double whole = std::ldexp(largest_magnitude(grid), shift) / largest_magnitude(buffer(id).grid);
      return static_cast<std::int32_t>(whole * random.uniform(-1, 1.5));
    };
    step.addition.shift = static_cast<std::uint8_t>(shift);
    step.addition.multiplier_a = factor(a);
    step.addition.multiplier_b = factor(b);
    step.addition.offset = (std::int32_t{random_zero(grid)} << shift) -
                           random_zero(buffer(a).grid) * step.addition.multiplier_a -
                           random_zero(buffer(b).grid) * step.addition.multiplier_b;
    std::tie(step.addition.output_minimum, step.addition.output_maximum) = random_range(grid);
    add_step(step, {a, b}, output);
    return output;
  }

  BufferId multiplication(BufferId a, BufferId b, const ActivationGrid& grid) {
    const BufferId output = add_buffer(buffer(a).height, buffer(a).width, buffer(a).channels, grid);
    MultiplicationStep step;
    step.multiplication.a_zero = random_zero(buffer(a).grid);
    step.multiplication.b_zero = random_zero(buffer(b).grid);
    step.multiplication.output_zero = random_zero(grid);
    const double largest = largest_around(buffer(a).grid, step.multiplication.a_zero) *
                           largest_around(buffer(b).grid, step.multiplication.b_zero);
    step.multiplication.shift = random_shift(largest);
    step.multiplication.multiplier = random_multiplier(largest / 2, grid, step.multiplication.shift);
    std::tie(step.multiplication.output_minimum, step.multiplication.output_maximum) = random_range(grid);
    add_step(step, {a, b}, output);
    return output;
  }

  /// The input has at most 8 bits.
  BufferId lookup(BufferId input, const ActivationGrid& grid) {
    const BufferId output = add_buffer(buffer(input).height, buffer(input).width, buffer(input).channels, grid);
    LookupStep step;
    for (int i = 0; i < 1 << buffer(input).grid.bits; ++i) {
      step.table.push_back(static_cast<std::int16_t>(random.integer(grid.minimum(), grid.maximum())));
    }
    add_step(std::move(step), {input}, output);
    return output;
  }

  /// The input has at most 8 bits.
  BufferId softmax(BufferId input, const ActivationGrid& grid) {
    const BufferId output = add_buffer(buffer(input).height, buffer(input).width, buffer(input).channels, grid);
    SoftmaxStep step;
    const double scale = std::exp2(static_cast<double>(random.integer(-7, 0)));
    for (int d = 0; d < 1 << buffer(input).grid.bits; ++d)
      step.table.push_back(static_cast<std::uint16_t>(std::lround(32768 * std::exp(-d * scale))));
    step.softmax.output_zero = random_zero(grid);
    step.softmax.shift = random_shift(65536);
    step.softmax.multiplier = random_multiplier(65536, grid, step.softmax.shift);
    std::tie(step.softmax.output_minimum, step.softmax.output_maximum) = random_range(grid);
    add_step(std::move(step), {input}, output);
    return output;
  }

  void rescale_into(BufferId output, BufferId input) {
    const ActivationGrid& from = buffer(input).grid;
    const ActivationGrid& grid = buffer(output).grid;
    RescaleStep step;
    std::tie(step.rescale.output_minimum, step.rescale.output_maximum) = random_range(grid);
    if (from != grid || random.integer(0, 1) == 1) {
      step.rescale.input_zero = random_zero(from);
      step.rescale.output_zero = random_zero(grid);
      step.rescale.shift = random_shift(largest_around(from, step.rescale.input_zero));
      step.rescale.multiplier = random_multiplier(largest_magnitude(from), grid, step.rescale.shift);
    }
    add_step(step, {input}, output);
  }

  /// Moves elements of the input into a box of the output: every axis of the box runs along another axis of the input,
  /// in any order and with repetitions, and now and then over padding.
  void movement_into(BufferId output, BufferId input, const runtime::Box& box) {
    const Buffer& from = buffer(input);
    MovementStep step;
    step.movement.box = box;
    step.movement.padding = static_cast<std::int32_t>(random.integer(from.grid.minimum(), from.grid.maximum()));
    struct Axis {
      std::int32_t length;
      std::uint32_t stride;
    };
    std::array<Axis, 3> axes{{{from.height, static_cast<std::uint32_t>(from.width) << runtime::movement_channel_bits},
                              {from.width, 1U << runtime::movement_channel_bits},
                              {from.channels, 1U}}};
    for (std::size_t i = 2; i > 0; --i) {
      std::swap(axes[i], axes[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(i)))]);
    }
    const auto fill = [&](std::vector<std::uint32_t>& table, std::int16_t length, const Axis& axis) {
      for (int i = 0; i < length; ++i) {
        const auto place = static_cast<std::uint32_t>(random.integer(0, axis.length - 1));
        table.push_back(random.integer(0, 9) == 0 ? runtime::no_element : place * axis.stride);
      }
    };
    fill(step.rows, box.height, axes[0]);
    fill(step.columns, box.width, axes[1]);
    fill(step.channels, box.channels, axes[2]);
    add_step(std::move(step), {input}, output);
  }

  /// Neighbouring channels of a value, as a part of it.
  BufferId part(BufferId of, int first_channel, int channels) {
    const Buffer whole = buffer(of);
    const BufferId id = add_buffer(whole.height, whole.width, channels, whole.grid);
    Buffer& made = program.buffers.back();
    made.parent = of;
    made.parent_channel = first_channel;
    return id;
  }

  /// The program, with the images in the descriptors filled in.
  Program finish(BufferId output) {
    program.output = output;
    program.points.resize(static_cast<std::size_t>(points));
    for (Step& step : program.steps) fill_images(step);
    return program;
  }

  static double largest_magnitude(const ActivationGrid& grid) {
    return std::max<double>(grid.maximum(), -grid.minimum());
  }

 private:
  /// The largest distance of the grid's integers from a zero point.
  static double largest_around(const ActivationGrid& grid, std::int32_t zero) {
    return std::max<double>(grid.maximum() - zero, zero - grid.minimum());
  }

  /// The zero point of a value at one operating point, often none.
  std::int16_t random_zero(const ActivationGrid& grid) {
    if (!zero_points || points > 1 || grid.bits > 8 || random.integer(0, 1) == 0) return 0;
    return static_cast<std::int16_t>(random.integer(grid.minimum(), grid.maximum()));
  }

  static runtime::Window window(int kernel_height, int kernel_width, int stride_rows, int stride_columns,
                                int dilation_rows, int dilation_columns, int pad_top, int pad_left) {
    const auto narrow = [](int value) { return static_cast<std::int16_t>(value); };
    return {narrow(kernel_height), narrow(kernel_width),     narrow(stride_rows), narrow(stride_columns),
            narrow(dilation_rows), narrow(dilation_columns), narrow(pad_top),     narrow(pad_left)};
  }

  void add_step(Operation operation, std::vector<BufferId> inputs, BufferId output) {
    const std::string name = "step" + std::to_string(program.steps.size());
    program.steps.push_back({name, std::move(operation), std::move(inputs), output});
  }

  /// A shift, often the largest, with which |accumulator| <= bound does not overflow.
  std::uint8_t random_shift(double bound) {
    int most = 0;
    while (most < 15 && std::ldexp(bound, most + 1) < 2147483647.0) ++most;
    return static_cast<std::uint8_t>(random.integer(0, most));
  }

  /// A multiplier, of either sign, that brings `typical` somewhere near the end of the grid.
  std::int32_t random_multiplier(double typical, const ActivationGrid& grid, int shift) {
    const double factor = largest_magnitude(grid) / std::max(typical, 1.0) * random.uniform(0.5, 2.0);
    const double multiplier = std::min(std::ldexp(factor, 32 - shift), 2147483647.0);
    const auto integer = std::max(static_cast<std::int32_t>(multiplier), 1);
    return random.integer(0, 3) == 0 ? -integer : integer;
  }

  /// The grid's range, or a part of it.
  std::pair<std::int32_t, std::int32_t> random_range(const ActivationGrid& grid) {
    if (random.integer(0, 2) != 0) return {grid.minimum(), grid.maximum()};
    const auto low = static_cast<std::int32_t>(random.integer(grid.minimum(), (grid.minimum() + grid.maximum()) / 2));
    return {low, static_cast<std::int32_t>(random.integer(low, grid.maximum()))};
  }

  void fill_images(Step& step) const {
    const runtime::Image first = image_of(program, step.inputs[0]);
    const runtime::Image output = image_of(program, step.output);
    std::visit(
        overloaded{
            [&](AdditionStep& s) {
              s.addition.a = first;
              s.addition.b = image_of(program, step.inputs[1]);
              s.addition.output = output;
            },
            [&](MultiplicationStep& s) {
              s.multiplication.a = first;
              s.multiplication.b = image_of(program, step.inputs[1]);
              s.multiplication.output = output;
            },
            [&](ConvolutionStep& s) { std::tie(s.convolution.input, s.convolution.output) = std::tie(first, output); },
            [&](MaxPoolStep& s) { std::tie(s.pool.input, s.pool.output) = std::tie(first, output); },
            [&](AveragePoolStep& s) { std::tie(s.pool.input, s.pool.output) = std::tie(first, output); },
            [&](LookupStep& s) { std::tie(s.lookup.input, s.lookup.output) = std::tie(first, output); },
            [&](SoftmaxStep& s) { std::tie(s.softmax.input, s.softmax.output) = std::tie(first, output); },
            [&](RescaleStep& s) { std::tie(s.rescale.input, s.rescale.output) = std::tie(first, output); },
            [&](MovementStep& s) { std::tie(s.movement.input, s.movement.output) = std::tie(first, output); }},
        step.operation);
  }
};

}  // namespace trimtab
