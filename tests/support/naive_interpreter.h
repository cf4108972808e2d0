#pragma once

// The integer program by its definition: 64-bit integers in vectors, plain loops, nothing of the runtime's arithmetic.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include "data/dataset.h"
#include "program/program.h"

namespace trimtab {

class NaiveInterpreter {
 public:
  /// height x width x channels integers in, the same out.
  static std::vector<std::int64_t> run(const Program& program, const std::vector<std::int64_t>& input) {
    NaiveInterpreter interpreter(program);
    interpreter.write(program.input, input);
    for (const Step& step : program.steps) {
      std::visit([&](const auto& operation) { interpreter.run_step(step, operation); }, step.operation);
    }
    return interpreter.read(program.output);
  }

 private:
  using Values = std::vector<std::int64_t>;

  explicit NaiveInterpreter(const Program& program) : program_(program), values_(program.buffers.size()) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i].assign(static_cast<std::size_t>(program.buffers[i].elements()), 0);
    }
  }

  const Buffer& buffer(BufferId id) const { return program_.buffers[static_cast<std::size_t>(id)]; }

  /// Where channel 0 of the buffer's pixel lies: the outermost buffer, and the channel there.
  std::pair<BufferId, std::int64_t> place(BufferId id) const {
    std::int64_t channel = 0;
    for (; buffer(id).parent.has_value(); id = *buffer(id).parent) channel += buffer(id).parent_channel;
    return {id, channel};
  }

  std::int64_t& at(BufferId id, std::int64_t pixel, std::int64_t channel) {
    const auto [owner, first] = place(id);
    return values_[static_cast<std::size_t>(owner)]
                  [static_cast<std::size_t>(pixel * buffer(owner).channels + first + channel)];
  }

  void write(BufferId id, const Values& values) {
    for (std::int64_t i = 0; i < buffer(id).elements(); ++i) {
      at(id, i / buffer(id).channels, i % buffer(id).channels) = values.at(static_cast<std::size_t>(i));
    }
  }

  Values read(BufferId id) {
    Values values;
    for (std::int64_t i = 0; i < buffer(id).elements(); ++i) {
      values.push_back(at(id, i / buffer(id).channels, i % buffer(id).channels));
    }
    return values;
  }

  static std::int64_t clamp(std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value < low) return low;
    return value > high ? high : value;
  }

  /// floor(a / 2^bits + 1/2)
  static std::int64_t round_down(std::int64_t a, int bits) {
    const std::int64_t unit = std::int64_t{1} << bits;
    const std::int64_t sum = a + unit / 2;
    const std::int64_t quotient = sum / unit;
    return sum % unit < 0 ? quotient - 1 : quotient;
  }

  static std::int64_t requantize(std::int64_t value, std::int64_t multiplier, int shift) {
    return round_down(value * (std::int64_t{1} << shift) * multiplier, 32);
  }

  /// visit(pixel of the input, or -1 in the padding; row and column of the kernel)
  template <typename Visit>
  static void for_window(const Buffer& input, const runtime::Window& w, std::int64_t y, std::int64_t x,
                         const Visit& visit) {
    for (std::int64_t i = 0; i < w.kernel_height; ++i) {
      for (std::int64_t j = 0; j < w.kernel_width; ++j) {
        const std::int64_t row = y * w.stride_rows + i * w.dilation_rows - w.pad_top;
        const std::int64_t column = x * w.stride_columns + j * w.dilation_columns - w.pad_left;
        const bool inside = row >= 0 && row < input.height && column >= 0 && column < input.width;
        visit(inside ? row * input.width + column : -1, i, j);
      }
    }
  }

  /// Sets every output element to compute(y, x, channel).
  template <typename Compute>
  void fill(BufferId output, const Compute& compute) {
    Values values;
    for (std::int64_t y = 0; y < buffer(output).height; ++y) {
      for (std::int64_t x = 0; x < buffer(output).width; ++x) {
        for (std::int64_t c = 0; c < buffer(output).channels; ++c) values.push_back(compute(y, x, c));
      }
    }
    write(output, values);
  }

  void run_step(const Step& step, const ConvolutionStep& s) {
    const Buffer& input = buffer(step.inputs[0]);
    const Buffer& output = buffer(step.output);
    const runtime::Window& w = s.convolution.window;
    const std::int64_t inputs = input.channels / s.convolution.groups;
    const std::int64_t outputs = output.channels / s.convolution.groups;
    fill(step.output, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      std::int64_t sum = 0;
      for_window(input, w, y, x, [&](std::int64_t pixel, std::int64_t i, std::int64_t j) {
        for (std::int64_t k = 0; k < inputs; ++k) {
          const std::int64_t channel = c / outputs * inputs + k;
          const auto weight = static_cast<std::size_t>(((c * w.kernel_height + i) * w.kernel_width + j) * inputs + k);
          const std::int64_t padding = s.padding_value.empty() ? 0 : s.padding_value[static_cast<std::size_t>(channel)];
          sum += weight_of(s, weight) * (pixel < 0 ? padding : at(step.inputs[0], pixel, channel));
        }
      });
      sum = round_down(sum, s.convolution.sum_shift) + s.bias[static_cast<std::size_t>(c)];
      const std::int64_t scaled = requantize(sum, s.multiplier[static_cast<std::size_t>(c)], s.convolution.shift);
      return clamp(scaled + s.convolution.output_zero, s.convolution.output_minimum, s.convolution.output_maximum);
    });
  }

  /// As docs/scale.md defines the nested grid: the middle of the interval that the highest bits tell, in half steps.
  static std::int64_t weight_of(const ConvolutionStep& s, std::size_t index) {
    if (s.weight_code == WeightCode::integer) return s.weights[index];
    const double step = std::exp2(8 - s.convolution.weight_bits);
    return static_cast<std::int64_t>(2 * std::floor(s.weights[index] / step) + 1);
  }

  void run_step(const Step& step, const MaxPoolStep& s) {
    fill(step.output, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      std::int64_t best = INT64_MIN;
      for_window(buffer(step.inputs[0]), s.pool.window, y, x, [&](std::int64_t pixel, std::int64_t, std::int64_t) {
        if (pixel >= 0 && at(step.inputs[0], pixel, c) > best) best = at(step.inputs[0], pixel, c);
      });
      return clamp(best, s.pool.output_minimum, s.pool.output_maximum);
    });
  }

  void run_step(const Step& step, const AveragePoolStep& s) {
    fill(step.output, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      std::int64_t sum = 0;
      std::size_t count = 0;
      for_window(buffer(step.inputs[0]), s.pool.window, y, x, [&](std::int64_t pixel, std::int64_t, std::int64_t) {
        if (pixel < 0) return;
        sum += at(step.inputs[0], pixel, c);
        ++count;
      });
      sum -= static_cast<std::int64_t>(count) * s.pool.input_zero;
      const std::int64_t mean = requantize(sum, s.multiplier.at(s.pool.fixed_divisor ? 0 : count - 1), s.pool.shift);
      return clamp(mean + s.pool.output_zero, s.pool.output_minimum, s.pool.output_maximum);
    });
  }

  /// The second operand of an element-wise step, which may be a single pixel.
  std::int64_t second(const Step& step, std::int64_t y, std::int64_t x, std::int64_t c) {
    const Buffer& b = buffer(step.inputs[1]);
    return at(step.inputs[1], b.height * b.width == 1 ? 0 : y * b.width + x, c);
  }
  std::int64_t first(const Step& step, std::int64_t y, std::int64_t x, std::int64_t c) {
    return at(step.inputs[0], y * buffer(step.inputs[0]).width + x, c);
  }

  void run_step(const Step& step, const AdditionStep& s) {
    fill(step.output, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      const std::int64_t sum = first(step, y, x, c) * s.addition.multiplier_a +
                               second(step, y, x, c) * s.addition.multiplier_b + s.addition.offset;
      return clamp(round_down(sum, s.addition.shift), s.addition.output_minimum, s.addition.output_maximum);
    });
  }

  void run_step(const Step& step, const MultiplicationStep& s) {
    fill(step.output, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      const runtime::Multiplication& m = s.multiplication;
      const std::int64_t product = (first(step, y, x, c) - m.a_zero) * (second(step, y, x, c) - m.b_zero);
      return clamp(requantize(product, m.multiplier, m.shift) + m.output_zero, m.output_minimum, m.output_maximum);
    });
  }

  void run_step(const Step& step, const LookupStep& s) {
    const std::int64_t entries = std::ssize(s.table);
    fill(step.output, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      const std::int64_t value = first(step, y, x, c);
      const std::int64_t entry = s.table[static_cast<std::size_t>(value < 0 ? value + entries : value)];
      return entry < 0 && !buffer(step.output).grid.is_signed ? entry + 65536 : entry;
    });
  }

  void run_step(const Step& step, const SoftmaxStep& s) {
    const std::int64_t channels = buffer(step.output).channels;
    fill(step.output, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      std::int64_t largest = INT64_MIN;
      for (std::int64_t k = 0; k < channels; ++k) largest = std::max(largest, first(step, y, x, k));
      const auto power = [&](std::int64_t k) -> std::int64_t {
        return s.table.at(static_cast<std::size_t>(largest - first(step, y, x, k)));
      };
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < channels; ++k) sum += power(k);
      const std::int64_t share = (power(c) * 65536 + sum / 2) / sum;
      return clamp(requantize(share, s.softmax.multiplier, s.softmax.shift) + s.softmax.output_zero,
                   s.softmax.output_minimum, s.softmax.output_maximum);
    });
  }

  void run_step(const Step& step, const RescaleStep& s) {
    fill(step.output, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      const std::int64_t value = first(step, y, x, c);
      if (s.rescale.multiplier == 0) return value;
      const std::int64_t scaled = requantize(value - s.rescale.input_zero, s.rescale.multiplier, s.rescale.shift);
      return clamp(scaled + s.rescale.output_zero, s.rescale.output_minimum, s.rescale.output_maximum);
    });
  }

  void run_step(const Step& step, const MovementStep& s) {
    const runtime::Box& box = s.movement.box;
    for (std::int64_t y = 0; y < box.height; ++y) {
      for (std::int64_t x = 0; x < box.width; ++x) {
        for (std::int64_t c = 0; c < box.channels; ++c) {
          std::int64_t element = 0;
          bool outside = false;
          for (const std::uint32_t entry : {s.rows[static_cast<std::size_t>(y)], s.columns[static_cast<std::size_t>(x)],
                                            s.channels[static_cast<std::size_t>(c)]}) {
            outside = outside || entry == 4294967295U;
            element += entry;
          }
          at(step.output, (box.top + y) * buffer(step.output).width + box.left + x, box.first_channel + c) =
              outside ? s.movement.padding : at(step.inputs[0], element / 32768, element % 32768);
        }
      }
    }
  }

  const Program& program_;
  std::vector<Values> values_;  // by buffer; parts of a concatenation lie in their outermost buffer
};

/// The answer to one sample by the definition of every step, as real numbers, channels first.
inline std::vector<float> naive_answer(const Program& program, const Dataset& data, std::int64_t sample) {
  const Buffer& in = program.buffers[static_cast<std::size_t>(program.input)];
  const Buffer& out = program.buffers[static_cast<std::size_t>(program.output)];
  std::vector<float> raw(static_cast<std::size_t>(in.elements()));
  data.read(sample, program.preprocessing, raw);
  const auto plane = std::size_t(in.height) * std::size_t(in.width);
  std::vector<std::int64_t> last;  // channels last, as the program takes it
  for (std::size_t p = 0; p < plane; ++p) {
    for (std::size_t c = 0; c < std::size_t(in.channels); ++c) {
      const double steps = double{std::floor(raw[c * plane + p] / in.grid.scale + 0.5F)} + in.grid.zero_point;
      last.push_back(std::llround(std::clamp<double>(steps, in.grid.minimum(), in.grid.maximum())));
    }
  }
  const std::vector<std::int64_t> integers = NaiveInterpreter::run(program, last);
  std::vector<float> first;
  for (std::int32_t c = 0; c < out.channels; ++c) {
    for (std::size_t p = 0; p < std::size_t(out.height) * std::size_t(out.width); ++p) {
      const std::int64_t integer = integers[p * std::size_t(out.channels) + std::size_t(c)];
      first.push_back(out.grid.scale * static_cast<float>(integer - out.grid.zero_point));
    }
  }
  return first;
}

}  // namespace trimtab
