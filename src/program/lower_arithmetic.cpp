#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "plan/adopted_grid.h"
#include "program/lowering.h"
#include "program/overflow.h"

namespace trimtab {
namespace {

/// An activation function, by its definition (graph/graph.h).
double apply(const Operator& op, double x) {
  return std::visit(
      overloaded{[&](const Relu&) { return std::max(x, 0.0); },
                 [&](const Clip& f) { return std::min<double>(std::max<double>(x, f.low), f.high); },
                 [&](const LeakyRelu& f) { return x < 0 ? x * f.alpha : x; },
                 [&](const HardSigmoid& f) { return std::clamp(f.alpha * x + f.beta, 0.0, 1.0); },
                 [&](const HardSwish&) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); },
                 [&](const Sigmoid&) { return 1 / (1 + std::exp(-x)); },
                 [&](const ScalarFunction& f) { return evaluate(f, x); },
                 [&](const auto&) -> double { throw failure("{} is no function of one number", operator_name(op)); }},
      op);
}

/// Multipliers just above 2^(32 - shift) / divisor, for divisors from the first on: a sum of exactly so many halves
/// goes away from 0 by them, though the kernel rounds halves upward.
void round_halves_away(std::vector<std::int32_t>& multipliers, std::int64_t first_divisor, int shift) {
  std::int64_t divisor = first_divisor;
  for (std::int32_t& multiplier : multipliers) {
    if (multiplier * divisor <= std::int64_t{1} << (32 - shift)) ++multiplier;
    ++divisor;
  }
}

}  // namespace

runtime::Window window_of(const std::array<std::int64_t, 2>& kernel, const std::array<std::int64_t, 2>& stride,
                          const std::array<std::int64_t, 2>& dilation, const Padding& padding) {
  const auto narrow = [](std::int64_t value) { return static_cast<std::int16_t>(value); };
  return {narrow(kernel[0]),   narrow(kernel[1]),   narrow(stride[0]),   narrow(stride[1]),
          narrow(dilation[0]), narrow(dilation[1]), narrow(padding.top), narrow(padding.left)};
}

void Lowering::lower_max_pool(const Layer& layer, const Pool& op) {
  check_same_grid(layer);
  MaxPoolStep step;
  step.pool.window = window_of(op.kernel, op.stride, op.dilation, op.padding);
  add_step(layer, step, {buffer_of(layer.inputs[0])}, output_ranges(layer));
}

void Lowering::lower_average_pool(const Layer& layer, const Pool& op) {
  const Buffer& input = buffer(buffer_of(layer.inputs[0]));
  const Shape& output = graph_.shape_of(layer.output);
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
  lower_average(layer, window_of(op.kernel, op.stride, {1, 1}, op.padding), fixed, op.count_include_pad && padded);
}

void Lowering::lower_global_pool(const Layer& layer) {
  const Buffer& input = buffer(buffer_of(layer.inputs[0]));
  lower_average(layer, window_of({input.height, input.width}, {1, 1}, {1, 1}, {}), true, false);
}

void Lowering::lower_average(const Layer& layer, const runtime::Window& window, bool fixed_divisor,
                             bool padding_counts) {
  AveragePoolStep step;
  step.pool.window = window;
  step.pool.fixed_divisor = fixed_divisor;
  const int count = window.kernel_height * window.kernel_width;
  const Requantization requantization =
      requantization_of(for_points([&](std::size_t k) {
                          const double ratio = scale_ratio(layer.inputs[0], layer, k);
                          std::vector<double> factors;
                          for (int divisor = fixed_divisor ? count : 1; divisor <= count; ++divisor)
                            factors.push_back(ratio / divisor);
                          return factors;
                        }),
                        layer.name);
  std::vector<PointNumbers> numbers = output_ranges(layer);
  set_shifts(numbers, requantization);
  // A mean keeps its zero point, where the grid stays the same and no padding counts.
  const bool keeps_zero = !padding_counts && format_of(layer.inputs[0]) == format_of(layer.output);
  step.multiplier = requantization.multiplier;
  if (!keeps_zero) {
    step.pool.input_zero = narrow_zero_of(layer.inputs[0]);
    step.pool.output_zero = narrow_zero_of(layer.output);
  } else if (const auto center = stored_zero(graph_, layer.output, format_of(layer.output)); center && points() == 1) {
    step.pool.input_zero = step.pool.output_zero = static_cast<std::int16_t>(*center);
    round_halves_away(step.multiplier, fixed_divisor ? count : 1, numbers[0].shift);
  }
  for (std::size_t k = 0; k < points(); ++k) {
    const ActivationGrid& input = grid_of(layer.inputs[0], k);
    const std::int64_t largest = keeps_zero ? largest_magnitude(input) : largest_step(input);
    if (fits_after_shift(largest * count, numbers[k].shift)) continue;
    throw bad_input("layer '{}' could overflow its 32-bit sum; give its input fewer bits", layer.name);
  }
  add_step(layer, std::move(step), {buffer_of(layer.inputs[0])}, std::move(numbers));
}

/// The operands of an Add or Mul, the one that is broadcast last.
std::pair<ValueId, ValueId> Lowering::operands(const Layer& layer) const {
  std::pair<ValueId, ValueId> values{layer.inputs.at(0), layer.inputs.at(1)};
  if (element_count(graph_.shape_of(values.first)) < element_count(graph_.shape_of(values.second)))
    std::swap(values.first, values.second);
  return values;
}

/// The multipliers serve all points: at a point whose operands are larger by 2^growth than at the first, the sum is
/// shifted right by so much less.
void Lowering::lower_add(const Layer& layer) {
  const std::pair<ValueId, ValueId> values = operands(layer);
  const ValueId a = values.first;
  const ValueId b = values.second;
  const auto factors_of = [&](ValueId value) {
    return for_points([&, value](std::size_t k) { return scale_ratio(value, layer, k); });
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
  const auto offset = [&](double multiplier_a, double multiplier_b, int shift) {
    return std::ldexp(zero_of(layer.output, 0), shift) - zero_of(a, 0) * multiplier_a - zero_of(b, 0) * multiplier_b;
  };
  const auto fits = [&](int first_shift) {
    for (std::size_t k = 0; k < points(); ++k) {
      const double multiplier_a = multiplier(factors_a[0][0], first_shift);
      const double multiplier_b = multiplier(factors_b[0][0], first_shift);
      constexpr double most = std::numeric_limits<std::int32_t>::max();
      const int shift = first_shift - growths[k];
      if (shift < 1 || shift > 30 || multiplier_a > most || multiplier_b > most) return false;
      const std::int64_t largest =
          largest_addition(static_cast<std::int64_t>(multiplier_a), static_cast<std::int64_t>(multiplier_b), shift,
                           largest_of(a, k), largest_of(b, k)) +
          static_cast<std::int64_t>(std::abs(offset(multiplier_a, multiplier_b, shift)));
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
  step.addition.offset =
      static_cast<std::int32_t>(offset(step.addition.multiplier_a, step.addition.multiplier_b, first_shift));
  if (points() > 1 && step.addition.offset != 0)
    throw failure("layer '{}' has zero points at several operating points", layer.name);
  std::vector<PointNumbers> numbers = output_ranges(layer);
  for (std::size_t k = 0; k < points(); ++k) numbers[k].shift = static_cast<std::uint8_t>(first_shift - growths[k]);
  add_step(layer, step, {buffer_of(a), buffer_of(b)}, std::move(numbers));
}

void Lowering::lower_mul(const Layer& layer) {
  const auto [a, b] = operands(layer);
  const Requantization requantization = requantization_of(
      for_points([&, first = a, second = b](std::size_t k) {
        return static_cast<double>(grid_of(first, k).scale) * grid_of(second, k).scale / grid_of(layer.output, k).scale;
      }),
      layer.name);
  std::vector<PointNumbers> numbers = output_ranges(layer);
  set_shifts(numbers, requantization);
  for (std::size_t k = 0; k < points(); ++k) {
    if (fits_after_shift(largest_step(grid_of(a, k)) * largest_step(grid_of(b, k)), numbers[k].shift)) continue;
    throw bad_input("layer '{}' could overflow 32 bits; give its inputs fewer bits", layer.name);
  }
  MultiplicationStep step;
  step.multiplication.multiplier = requantization.multiplier[0];
  step.multiplication.a_zero = narrow_zero_of(a);
  step.multiplication.b_zero = narrow_zero_of(b);
  step.multiplication.output_zero = narrow_zero_of(layer.output);
  add_step(layer, step, {buffer_of(a), buffer_of(b)}, std::move(numbers));
}

void Lowering::lower_table(const Layer& layer) {
  if (points() > 1) throw bad_input("layer '{}' has no form for several operating points", layer.name);
  const ActivationGrid& input = grid_of(layer.inputs[0], 0);
  const ActivationGrid& output = grid_of(layer.output, 0);
  if (input.bits > 8)
    throw bad_input("layer '{}' is a table lookup and takes at most 8 bits; its input has {}", layer.name, input.bits);
  const Operator& function = operator_of(layer);
  LookupStep step;
  const int entries = 1 << input.bits;
  for (int pattern = 0; pattern < entries; ++pattern) {
    const int integer = input.is_signed && pattern >= entries / 2 ? pattern - entries : pattern;
    step.table.push_back(static_cast<std::int16_t>(quantize(
        static_cast<float>(apply(function, static_cast<double>(integer - input.zero_point) * input.scale)), output)));
  }
  add_step(layer, std::move(step), {buffer_of(layer.inputs[0])}, std::vector<PointNumbers>(1));
}

void Lowering::lower_softmax(const Layer& layer) {
  if (points() > 1) throw bad_input("layer '{}' has no form for several operating points", layer.name);
  const ActivationGrid& input = grid_of(layer.inputs[0], 0);
  if (input.bits > 8)
    throw bad_input("layer '{}' is a Softmax and takes at most 8 bits; its input has {}", layer.name, input.bits);
  SoftmaxStep step;
  for (int difference = 0; difference < 1 << input.bits; ++difference) {
    const double power = std::exp(-difference * static_cast<double>(input.scale));
    step.table.push_back(static_cast<std::uint16_t>(std::lround(power * runtime::softmax_one)));
  }
  const auto share = [&](std::size_t k) { return 1.0 / 65536 / grid_of(layer.output, k).scale; };
  const Requantization requantization = requantization_of(for_points(share), layer.name);
  step.softmax.multiplier = requantization.multiplier[0];
  step.softmax.output_zero = narrow_zero_of(layer.output);
  std::vector<PointNumbers> numbers = output_ranges(layer);
  set_shifts(numbers, requantization);
  add_step(layer, std::move(step), {buffer_of(layer.inputs[0])}, std::move(numbers));
}

}  // namespace trimtab
