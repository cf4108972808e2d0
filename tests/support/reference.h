#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "graph/graph.h"

// Runs a graph with plain loops over one sample at a time, in the words of ONNX's operator descriptions. Slow, and made
// to be evidently right: what the other ways to run a graph are compared with.
namespace trimtab::reference {

using Values = std::vector<float>;

/// A sample's element at (channel, row, column), or `outside` beyond the edges.
inline float at(const Values& x, const Shape& shape, std::int64_t c, std::int64_t y, std::int64_t z, float outside) {
  if (y < 0 || z < 0 || y >= shape[1] || z >= shape[2]) return outside;
  return x[static_cast<std::size_t>((c * shape[1] + y) * shape[2] + z)];
}

inline Values run(const Conv& op, const Values& x, const Shape& in, const Shape& out) {
  Values result;
  const Shape& w = op.weight.shape;
  const std::int64_t filters_of_group = out[0] / op.groups;
  for (std::int64_t o = 0; o < out[0]; ++o) {
    const std::int64_t first = o / filters_of_group * w[1];
    for (std::int64_t y = 0; y < out[1]; ++y) {
      for (std::int64_t z = 0; z < out[2]; ++z) {
        double sum = op.bias.empty() ? 0.0 : op.bias.data[static_cast<std::size_t>(o)];
        for (std::int64_t i = 0; i < w[1]; ++i) {
          const float outside =
              op.padding_value.empty() ? 0.0F : op.padding_value.data[static_cast<std::size_t>(first + i)];
          for (std::int64_t ky = 0; ky < w[2]; ++ky) {
            for (std::int64_t kz = 0; kz < w[3]; ++kz) {
              const float weight = op.weight.data[static_cast<std::size_t>(((o * w[1] + i) * w[2] + ky) * w[3] + kz)];
              sum += weight * at(x, in, first + i, y * op.stride[0] - op.padding.top + ky * op.dilation[0],
                                 z * op.stride[1] - op.padding.left + kz * op.dilation[1], outside);
            }
          }
        }
        result.push_back(static_cast<float>(sum));
      }
    }
  }
  return result;
}

inline Values run(const Linear& op, const Values& x) {
  Values result;
  for (std::int64_t o = 0; o < op.weight.shape[0]; ++o) {
    double sum = op.bias.empty() ? 0.0 : op.bias.data[static_cast<std::size_t>(o)];
    for (std::size_t i = 0; i < x.size(); ++i) sum += op.weight.data[static_cast<std::size_t>(o) * x.size() + i] * x[i];
    result.push_back(static_cast<float>(sum));
  }
  return result;
}

inline Values run(const Pool& op, const Values& x, const Shape& in, const Shape& out) {
  Values result;
  for (std::int64_t c = 0; c < out[0]; ++c) {
    for (std::int64_t y = 0; y < out[1]; ++y) {
      for (std::int64_t z = 0; z < out[2]; ++z) {
        double sum = 0;
        double most = -std::numeric_limits<double>::infinity();
        int inside = 0;
        int inside_padded = 0;
        for (std::int64_t ky = 0; ky < op.kernel[0]; ++ky) {
          for (std::int64_t kz = 0; kz < op.kernel[1]; ++kz) {
            const std::int64_t row = y * op.stride[0] - op.padding.top + ky * op.dilation[0];
            const std::int64_t column = z * op.stride[1] - op.padding.left + kz * op.dilation[1];
            if (row < in[1] + op.padding.bottom && column < in[2] + op.padding.right) ++inside_padded;
            if (row < 0 || column < 0 || row >= in[1] || column >= in[2]) continue;
            ++inside;
            const double value = at(x, in, c, row, column, 0);
            sum += value;
            most = std::max(most, value);
          }
        }
        const double divisor = op.count_include_pad ? inside_padded : inside;
        result.push_back(static_cast<float>(op.kind == PoolKind::max ? most : sum / divisor));
      }
    }
  }
  return result;
}

/// Calls f(x, channel) for every element.
template <typename Function>
Values each(const Values& x, const Shape& shape, const Function& f) {
  Values result;
  const std::size_t per_channel = x.size() / static_cast<std::size_t>(shape[0]);
  for (std::size_t i = 0; i < x.size(); ++i) result.push_back(static_cast<float>(f(double{x[i]}, i / per_channel)));
  return result;
}

/// f(a, b) for every element, one of them perhaps {C,1,1}.
template <typename Function>
Values both(const Values& a, const Values& b, const Shape& out, const Function& f) {
  const std::size_t count = std::max(a.size(), b.size());
  const std::size_t per_channel = count / static_cast<std::size_t>(out[0]);
  Values result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(f(a[a.size() == count ? i : i / per_channel], b[b.size() == count ? i : i / per_channel]));
  }
  return result;
}

inline Values softmax(const Values& x, const Shape& shape) {
  const auto channels = static_cast<std::size_t>(shape[0]);
  const std::size_t pixels = x.size() / channels;
  Values result(x.size());
  for (std::size_t p = 0; p < pixels; ++p) {
    double most = -std::numeric_limits<double>::infinity();
    double sum = 0;
    for (std::size_t c = 0; c < channels; ++c) most = std::max(most, double{x[c * pixels + p]});
    for (std::size_t c = 0; c < channels; ++c) sum += std::exp(x[c * pixels + p] - most);
    for (std::size_t c = 0; c < channels; ++c) {
      result[c * pixels + p] = static_cast<float>(std::exp(x[c * pixels + p] - most) / sum);
    }
  }
  return result;
}

inline Values pad(const Pad& op, const Values& x, const Shape& in, const Shape& out) {
  Values result;
  for (std::int64_t c = 0; c < out[0]; ++c) {
    for (std::int64_t y = 0; y < out[1]; ++y) {
      for (std::int64_t z = 0; z < out[2]; ++z) {
        result.push_back(at(x, in, c, y - op.padding.top, z - op.padding.left, op.value));
      }
    }
  }
  return result;
}

/// Elements in front of the axis, and behind it.
inline std::pair<std::size_t, std::size_t> around(const Shape& shape, std::int64_t axis) {
  return {static_cast<std::size_t>(element_count({shape.begin(), shape.begin() + axis})),
          static_cast<std::size_t>(element_count({shape.begin() + axis + 1, shape.end()}))};
}

inline Values concat(const Concat& op, const std::vector<Values>& inputs, const Shape& out) {
  const std::size_t rows = around(out, op.axis).first;
  Values joined;
  for (std::size_t row = 0; row < rows; ++row) {
    for (const Values& part : inputs) {
      const std::size_t length = part.size() / rows;
      for (std::size_t i = 0; i < length; ++i) joined.push_back(part[row * length + i]);
    }
  }
  return joined;
}

inline Values gather(const Gather& op, const Values& x, const Shape& in) {
  const auto [rows, block] = around(in, op.axis);
  const std::size_t length = x.size() / rows / block;
  Values result;
  for (std::size_t row = 0; row < rows; ++row) {
    for (const std::int64_t index : op.indices) {
      for (std::size_t i = 0; i < block; ++i) {
        result.push_back(x[(row * length + static_cast<std::size_t>(index)) * block + i]);
      }
    }
  }
  return result;
}

/// Every element by the digits of its index.
inline Values permute(const Permute& op, const Values& x) {
  Values result;
  const std::size_t rank = op.from.size();
  for (std::size_t to = 0; to < x.size(); ++to) {
    std::vector<std::int64_t> index(rank);
    auto rest = static_cast<std::int64_t>(to);
    for (std::size_t i = rank; i-- > 0;) {
      const auto axis = static_cast<std::size_t>(op.order[i]);
      index[axis] = rest % op.from[axis];
      rest /= op.from[axis];
    }
    std::int64_t from = 0;
    for (std::size_t axis = 0; axis < rank; ++axis) from = from * op.from[axis] + index[axis];
    result.push_back(x[static_cast<std::size_t>(from)]);
  }
  return result;
}

inline Values run(const Node& node, const std::vector<Values>& inputs, const Shape& in, const Shape& out) {
  const Values& x = inputs[0];
  const auto number = [](const Tensor& tensor, std::size_t c) { return double{tensor.data[c]}; };
  const auto hard_sigmoid = [](double v, double alpha, double beta) { return std::clamp(alpha * v + beta, 0.0, 1.0); };
  return std::visit(
      overloaded{
          [&](const Conv& op) { return run(op, x, in, out); },
          [&](const Linear& op) { return run(op, x); },
          [&](const BatchNormalization& op) {
            return each(x, in, [&](double v, std::size_t c) {
              return number(op.scale, c) * (v - number(op.mean, c)) / std::sqrt(number(op.variance, c) + op.epsilon) +
                     number(op.bias, c);
            });
          },
          [&](const Affine& op) {
            return each(x, in, [&](double v, std::size_t c) { return number(op.scale, c) * v + number(op.offset, c); });
          },
          [&](const Relu&) { return each(x, in, [](double v, auto) { return std::max(v, 0.0); }); },
          [&](const Clip& op) {
            return each(x, in, [&](double v, auto) { return std::min(std::max(v, double{op.low}), double{op.high}); });
          },
          [&](const LeakyRelu& op) { return each(x, in, [&](double v, auto) { return v < 0 ? op.alpha * v : v; }); },
          [&](const HardSigmoid& op) {
            return each(x, in, [&](double v, auto) { return hard_sigmoid(v, op.alpha, op.beta); });
          },
          [&](const HardSwish&) {
            return each(x, in, [&](double v, auto) { return v * hard_sigmoid(v, 1.0 / 6, 0.5); });
          },
          [&](const Sigmoid&) { return each(x, in, [](double v, auto) { return 1 / (1 + std::exp(-v)); }); },
          [&](const Pool& op) { return run(op, x, in, out); },
          [&](const GlobalAveragePool&) {
            Values means;
            const std::size_t pixels = x.size() / static_cast<std::size_t>(in[0]);
            for (std::size_t begin = 0; begin < x.size(); begin += pixels) {
              double sum = 0;
              for (std::size_t i = 0; i < pixels; ++i) sum += x[begin + i];
              means.push_back(static_cast<float>(sum / static_cast<double>(pixels)));
            }
            return means;
          },
          [&](const Add&) { return both(x, inputs[1], out, [](float a, float b) { return a + b; }); },
          [&](const Mul&) { return both(x, inputs[1], out, [](float a, float b) { return a * b; }); },
          [&](const Concat& op) { return concat(op, inputs, out); },
          [&](const Gather& op) { return gather(op, x, in); },
          [&](const Permute& op) { return permute(op, x); },
          [&](const Reshape&) { return x; },
          [&](const Pad& op) { return pad(op, x, in, out); },
          [&](const Softmax& op) {
            Values shares = softmax(x, in);
            for (float& share : shares) share = op.logarithm ? std::log(share) : share;
            return shares;
          },
          [&](const ScalarFunction& op) { return each(x, in, [&](double v, auto) { return evaluate(op, v); }); },
      },
      node.op);
}

/// The output of one sample.
inline Values run(const Graph& graph, const Values& sample) {
  std::map<ValueId, Values> values{{graph.input, sample}};
  for (const Node& node : graph.nodes) {
    std::vector<Values> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(values.at(input));
    values[node.output] = run(node, inputs, graph.shape_of(node.inputs[0]), graph.shape_of(node.output));
  }
  return values.at(graph.output);
}

/// The largest absolute difference; infinite where the sizes differ.
inline double difference(const Values& a, const Values& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double{a[i]} - b[i]));
  return most;
}

/// The largest absolute value, at least 1: what a difference is measured by.
inline double largest(const Values& numbers) {
  double most = 1;
  for (const float x : numbers) most = std::max(most, std::abs(double{x}));
  return most;
}

}  // namespace trimtab::reference
