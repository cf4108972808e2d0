#include "graph/channel_ranges.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <numeric>
#include <optional>
#include <set>

#include "base/index.h"

namespace trimtab {
namespace {

using Ranges = std::vector<Range>;
constexpr double infinity = std::numeric_limits<double>::infinity();

[[nodiscard]] Range hull(const Range& a, const Range& b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }
[[nodiscard]] Range hull(const Range& a, double point) { return hull(a, {point, point}); }

[[nodiscard]] Range hull_of(const Ranges& ranges) {
  return std::accumulate(ranges.begin() + 1, ranges.end(), ranges.front(),
                         [](const Range& a, const Range& b) { return hull(a, b); });
}

/// Numbers are finite, so that nothing times 0 is anything but 0.
[[nodiscard]] double product(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

[[nodiscard]] Range operator*(const Range& a, const Range& b) {
  const auto [low, high] =
      std::minmax({product(a.low, b.low), product(a.low, b.high), product(a.high, b.low), product(a.high, b.high)});
  return {low, high};
}
[[nodiscard]] Range operator*(double factor, const Range& range) { return Range{factor, factor} * range; }

[[nodiscard]] Range operator+(const Range& a, const Range& b) { return {a.low + b.low, a.high + b.high}; }

/// The kernel's rows, or columns, that see the image and not its padding: from `first` up to `end`.
struct Inside {
  std::int64_t first;
  std::int64_t end;
  auto operator<=>(const Inside&) const = default;
};

/// All that occur along an axis.
[[nodiscard]] std::set<Inside> all_inside(std::int64_t input, std::int64_t output, std::int64_t kernel,
                                          std::int64_t stride, std::int64_t dilation, std::int64_t padding) {
  std::set<Inside> result;
  for (std::int64_t i = 0; i < output; ++i) {
    Inside inside{0, kernel};
    const std::int64_t start = i * stride - padding;
    while (inside.first < kernel && start + inside.first * dilation < 0) ++inside.first;
    while (inside.end > inside.first && start + (inside.end - 1) * dilation >= input) --inside.end;
    result.insert(inside);
  }
  return result;
}

/// One output channel of a Conv where its kernel sees these rows and columns of the image, and padding elsewhere.
[[nodiscard]] Range weighted_sum(const Conv& op, std::int64_t output, const Ranges& inputs, const Inside& rows,
                                 const Inside& columns) {
  const Shape& shape = op.weight.shape;
  const double start = op.bias.empty() ? 0.0 : double{nth(op.bias.data, output)};
  Range sum{start, start};
  const std::int64_t first_input = output / (shape[0] / op.groups) * shape[1];
  const float* w = op.weight.data.data() + output * shape[1] * shape[2] * shape[3];
  for (std::int64_t i = first_input; i < first_input + shape[1]; ++i) {
    const double padding = op.padding_value.empty() ? 0.0 : double{nth(op.padding_value.data, i)};
    for (std::int64_t y = 0; y < shape[2]; ++y) {
      for (std::int64_t x = 0; x < shape[3]; ++x, ++w) {
        const bool inside = y >= rows.first && y < rows.end && x >= columns.first && x < columns.end;
        if (*w != 0) sum = sum + double{*w} * (inside ? nth(inputs, i) : Range{padding, padding});
      }
    }
  }
  return sum;
}

[[nodiscard]] Ranges after(const Conv& op, const Ranges& input, const Shape& from, const Shape& to) {
  const Shape& kernel = op.weight.shape;
  const auto rows = all_inside(from[1], to[1], kernel[2], op.stride[0], op.dilation[0], op.padding.top);
  const auto columns = all_inside(from[2], to[2], kernel[3], op.stride[1], op.dilation[1], op.padding.left);
  Ranges output;
  for (std::int64_t o = 0; o < kernel[0]; ++o) {
    std::optional<Range> range;
    for (const Inside& row : rows) {
      for (const Inside& column : columns) {
        const Range here = weighted_sum(op, o, input, row, column);
        range = range.has_value() ? hull(*range, here) : here;
      }
    }
    output.push_back(*range);
  }
  return output;
}

[[nodiscard]] Ranges after(const Linear& op, const Ranges& input) {
  Ranges output;
  const float* w = op.weight.data.data();
  for (std::int64_t o = 0; o < op.weight.shape[0]; ++o) {
    const double start = op.bias.empty() ? 0.0 : double{nth(op.bias.data, o)};
    Range sum{start, start};
    for (std::size_t i = 0; i < input.size(); ++i, ++w) {
      if (*w != 0) sum = sum + double{*w} * input[i];
    }
    output.push_back(sum);
  }
  return output;
}

[[nodiscard]] Range scaled(const Range& range, double scale, double offset) {
  return scale * range + Range{offset, offset};
}

[[nodiscard]] Ranges after(const BatchNormalization& op, Ranges ranges) {
  for (std::size_t c = 0; c < ranges.size(); ++c) {
    const double scale = op.scale.data[c] / std::sqrt(double{op.variance.data[c]} + op.epsilon);
    ranges[c] = scaled(ranges[c], scale, op.bias.data[c] - scale * op.mean.data[c]);
  }
  return ranges;
}

[[nodiscard]] Ranges after(const Affine& op, Ranges ranges) {
  for (std::size_t c = 0; c < ranges.size(); ++c) ranges[c] = scaled(ranges[c], op.scale.data[c], op.offset.data[c]);
  return ranges;
}

/// Of a function that only rises.
template <typename Function>
[[nodiscard]] Ranges rising(Ranges ranges, const Function& f) {
  for (Range& range : ranges) range = {f(range.low), f(range.high)};
  return ranges;
}

[[nodiscard]] Ranges after(const LeakyRelu& op, Ranges ranges) {
  for (Range& range : ranges) {
    const double low = range.low < 0 ? product(op.alpha, range.low) : range.low;
    const double high = range.high < 0 ? product(op.alpha, range.high) : range.high;
    const bool bends = range.low < 0 && range.high > 0;
    range = hull({std::min(low, high), std::max(low, high)}, bends ? 0.0 : low);
  }
  return ranges;
}

[[nodiscard]] Ranges after(const HardSigmoid& op, Ranges ranges) {
  for (Range& range : ranges) {
    const auto f = [&](double x) { return std::clamp(product(op.alpha, x) + op.beta, 0.0, 1.0); };
    range = hull({f(range.low), f(range.low)}, f(range.high));
  }
  return ranges;
}

/// Falls to -3/8 at -3/2 and rises behind it.
[[nodiscard]] Ranges after(const HardSwish&, Ranges ranges) {
  const auto f = [](double x) { return x <= -3 ? 0.0 : x >= 3 ? x : x * (x + 3) / 6; };
  for (Range& range : ranges) {
    const bool has_least = range.low < -1.5 && range.high > -1.5;
    range = hull({std::min(f(range.low), f(range.high)), std::max(f(range.low), f(range.high))},
                 has_least ? -0.375 : f(range.low));
  }
  return ranges;
}

[[nodiscard]] Ranges after(const ScalarFunction& op, Ranges ranges) {
  const Range any{is_non_negative(op) ? 0.0 : -infinity, infinity};
  for (Range& range : ranges) {
    const double value = range.is_constant() ? evaluate(op, range.low) : infinity;
    range = std::isfinite(value) ? Range{value, value} : any;
  }
  return ranges;
}

[[nodiscard]] Ranges after(const Pool& op, Ranges ranges) {
  const bool with_zeros = op.kind == PoolKind::average && op.count_include_pad && op.padding != Padding{};
  for (Range& range : ranges) {
    if (with_zeros) range = hull(range, 0);
  }
  return ranges;
}

[[nodiscard]] Ranges added(Ranges a, const Ranges& b) {
  for (std::size_t c = 0; c < a.size(); ++c) a[c] = a[c] + b[c];
  return a;
}

[[nodiscard]] Ranges multiplied(Ranges a, const Ranges& b) {
  for (std::size_t c = 0; c < a.size(); ++c) a[c] = a[c] * b[c];
  return a;
}

[[nodiscard]] Ranges joined(const Concat& op, const std::vector<const Ranges*>& inputs) {
  Ranges output = *inputs[0];
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const Ranges& next = *inputs[i];
    if (op.axis == 0) {
      output.insert(output.end(), next.begin(), next.end());
    } else {
      for (std::size_t c = 0; c < output.size(); ++c) output[c] = hull(output[c], next[c]);
    }
  }
  return output;
}

/// Of a value that holds the same numbers with other channels.
[[nodiscard]] Ranges reshaped(const Ranges& input, const Shape& from, const Shape& to) {
  if (to[0] == from[0]) return input;
  if (to[0] == element_count(to) && to[0] % from[0] == 0) {
    Ranges output;
    for (const Range& range : input) output.insert(output.end(), static_cast<std::size_t>(to[0] / from[0]), range);
    return output;
  }
  return Ranges(static_cast<std::size_t>(to[0]), hull_of(input));
}

[[nodiscard]] Ranges after(const Graph& graph, const Node& node, const std::vector<const Ranges*>& inputs) {
  const Ranges& x = *inputs[0];
  return std::visit(
      overloaded{
          [&](const Conv& op) { return after(op, x, graph.shape_of(node.inputs[0]), graph.shape_of(node.output)); },
          [&](const Relu&) { return rising(x, [](double v) { return std::max(v, 0.0); }); },
          [&](const Clip& op) {
            return rising(x, [&](double v) { return std::min<double>(std::max<double>(v, op.low), op.high); });
          },
          [&](const Sigmoid&) { return rising(x, [](double v) { return 1 / (1 + std::exp(-v)); }); },
          [&](const GlobalAveragePool&) { return x; }, [&](const Add&) { return added(x, *inputs[1]); },
          [&](const Mul&) { return multiplied(x, *inputs[1]); }, [&](const Concat& op) { return joined(op, inputs); },
          [&](const Reshape& op) { return reshaped(x, graph.shape_of(node.inputs[0]), op.shape); },
          [&](const Permute& op) { return Ranges(static_cast<std::size_t>(op.shape[0]), hull_of(x)); },
          [&](const Gather& op) {
            if (op.axis != 0) return x;
            Ranges output;
            for (const std::int64_t index : op.indices) output.push_back(nth(x, index));
            return output;
          },
          [&](const Pad& op) {
            Ranges output = x;
            for (Range& range : output) range = hull(range, op.value);
            return output;
          },
          [&](const Softmax& op) {
            return Ranges(x.size(), op.logarithm ? Range{-infinity, 0} : Range{0, 1});
          },
          [&](const auto& op) { return after(op, x); }},
      node.op);
}

}  // namespace

std::vector<std::vector<Range>> find_channel_ranges(const Graph& graph, const std::vector<Range>& input) {
  std::vector<Ranges> ranges(graph.values.size());
  nth(ranges, graph.input) = input;
  for (const Node& node : graph.nodes) {
    std::vector<const Ranges*> inputs;
    for (const ValueId value : node.inputs) inputs.push_back(&nth(ranges, value));
    nth(ranges, node.output) = after(graph, node, inputs);
  }
  return ranges;
}

}  // namespace trimtab
