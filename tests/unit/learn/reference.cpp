#include "reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace trimtab::test {
namespace {

using Numbers = std::vector<double>;

/// An image {C,H,W}, or a vector as {C,1,1}.
struct Image {
  std::int64_t channels;
  std::int64_t height;
  std::int64_t width;
  const Numbers* data;

  [[nodiscard]] bool holds(std::int64_t y, std::int64_t x) const { return y >= 0 && y < height && x >= 0 && x < width; }
  [[nodiscard]] double at(std::int64_t c, std::int64_t y, std::int64_t x) const {
    return (*data)[static_cast<std::size_t>((c * height + y) * width + x)];
  }
};

Image image(const Shape& shape, const Numbers& data) {
  const bool spatial = shape.size() == 3;
  return {shape[0], spatial ? shape[1] : 1, spatial ? shape[2] : 1, &data};
}

double number(const Tensor& tensor, std::int64_t index) { return tensor.data[static_cast<std::size_t>(index)]; }

/// Calls f(channel, row, column) in C order and gathers what it returns.
template <typename Function>
Numbers generate(const Shape& shape, Function f) {
  const bool spatial = shape.size() == 3;
  Numbers result;
  for (std::int64_t c = 0; c < shape[0]; ++c) {
    for (std::int64_t y = 0; y < (spatial ? shape[1] : 1); ++y) {
      for (std::int64_t x = 0; x < (spatial ? shape[2] : 1); ++x) result.push_back(f(c, y, x));
    }
  }
  return result;
}

Numbers run_conv(const Conv& op, const Image& in, const Shape& out) {
  const std::int64_t per_group = in.channels / op.groups;
  const std::int64_t outputs_per_group = out[0] / op.groups;
  const std::int64_t kernel_height = op.weight.shape[2];
  const std::int64_t kernel_width = op.weight.shape[3];
  return generate(out, [&](std::int64_t o, std::int64_t y, std::int64_t x) {
    double sum = op.bias.empty() ? 0 : number(op.bias, o);
    for (std::int64_t i = 0; i < per_group; ++i) {
      const std::int64_t c = o / outputs_per_group * per_group + i;
      for (std::int64_t ky = 0; ky < kernel_height; ++ky) {
        for (std::int64_t kx = 0; kx < kernel_width; ++kx) {
          const std::int64_t row = y * op.stride[0] - op.padding.top + ky * op.dilation[0];
          const std::int64_t column = x * op.stride[1] - op.padding.left + kx * op.dilation[1];
          const double outside = op.padding_value.empty() ? 0 : number(op.padding_value, c);
          sum += number(op.weight, ((o * per_group + i) * kernel_height + ky) * kernel_width + kx) *
                 (in.holds(row, column) ? in.at(c, row, column) : outside);
        }
      }
    }
    return sum;
  });
}

Numbers run_pool(const Pool& op, const Image& in, const Shape& out) {
  return generate(out, [&](std::int64_t c, std::int64_t y, std::int64_t x) {
    double largest = -std::numeric_limits<double>::infinity();
    double sum = 0;
    int count = 0;
    for (std::int64_t ky = 0; ky < op.kernel[0]; ++ky) {
      for (std::int64_t kx = 0; kx < op.kernel[1]; ++kx) {
        const std::int64_t row = y * op.stride[0] - op.padding.top + ky * op.dilation[0];
        const std::int64_t column = x * op.stride[1] - op.padding.left + kx * op.dilation[1];
        const bool padding = row < in.height + op.padding.bottom && column < in.width + op.padding.right;
        if (in.holds(row, column)) {
          largest = std::max(largest, in.at(c, row, column));
          sum += in.at(c, row, column);
          ++count;
        } else if (padding && op.count_include_pad) {
          ++count;
        }
      }
    }
    return op.kind == PoolKind::max ? largest : sum / std::max(count, 1);
  });
}

Numbers run_softmax(const Image& in, const Shape& out) {
  return generate(out, [&](std::int64_t c, std::int64_t y, std::int64_t x) {
    double sum = 0;
    for (std::int64_t i = 0; i < in.channels; ++i) sum += std::exp(in.at(i, y, x) - in.at(c, y, x));
    return 1 / sum;
  });
}

}  // namespace

std::vector<double> run_reference(const Graph& graph, const std::vector<float>& input) {
  std::vector<Numbers> values(graph.values.size());
  values[static_cast<std::size_t>(graph.input)].assign(input.begin(), input.end());
  for (const Node& node : graph.nodes) {
    const auto in = [&](std::size_t i) {
      return image(graph.shape_of(node.inputs[i]), values[static_cast<std::size_t>(node.inputs[i])]);
    };
    const Image a = in(0);
    const Shape& out = graph.shape_of(node.output);
    const auto each = [&](auto f) {
      return generate(out, [&](std::int64_t c, std::int64_t y, std::int64_t x) { return f(a.at(c, y, x), c); });
    };
    const auto pairs = [&](auto f) {
      const Image b = in(1);
      const auto read = [](const Image& from, std::int64_t c, std::int64_t y, std::int64_t x) {
        return from.at(c, from.height == 1 ? 0 : y, from.width == 1 ? 0 : x);
      };
      return generate(
          out, [&](std::int64_t c, std::int64_t y, std::int64_t x) { return f(read(a, c, y, x), read(b, c, y, x)); });
    };
    const auto hard_sigmoid = [](double x, double alpha, double beta) {
      return std::clamp(alpha * x + beta, 0.0, 1.0);
    };
    values[static_cast<std::size_t>(node.output)] = std::visit(
        overloaded{[&](const Conv& op) { return run_conv(op, a, out); },
                   [&](const Linear& op) {
                     return generate(out, [&](std::int64_t o, std::int64_t, std::int64_t) {
                       double sum = op.bias.empty() ? 0 : number(op.bias, o);
                       for (std::int64_t i = 0; i < a.channels; ++i)
                         sum += number(op.weight, o * a.channels + i) * a.at(i, 0, 0);
                       return sum;
                     });
                   },
                   [&](const BatchNormalization& op) {
                     return each([&](double x, std::int64_t c) {
                       return number(op.scale, c) * (x - number(op.mean, c)) /
                                  std::sqrt(number(op.variance, c) + static_cast<double>(op.epsilon)) +
                              number(op.bias, c);
                     });
                   },
                   [&](const Affine& op) {
                     return each(
                         [&](double x, std::int64_t c) { return number(op.scale, c) * x + number(op.offset, c); });
                   },
                   [&](const Relu&) { return each([](double x, std::int64_t) { return std::max(x, 0.0); }); },
                   [&](const Clip& op) {
                     return each([&](double x, std::int64_t) {
                       return std::clamp(x, static_cast<double>(op.low), static_cast<double>(op.high));
                     });
                   },
                   [&](const LeakyRelu& op) {
                     return each([&](double x, std::int64_t) { return x < 0 ? static_cast<double>(op.alpha) * x : x; });
                   },
                   [&](const HardSigmoid& op) {
                     return each([&](double x, std::int64_t) {
                       return hard_sigmoid(x, static_cast<double>(op.alpha), static_cast<double>(op.beta));
                     });
                   },
                   [&](const HardSwish&) {
                     return each([&](double x, std::int64_t) { return x * hard_sigmoid(x, 1.0 / 6, 0.5); });
                   },
                   [&](const Sigmoid&) { return each([](double x, std::int64_t) { return 1 / (1 + std::exp(-x)); }); },
                   [&](const Pool& op) { return run_pool(op, a, out); },
                   [&](const GlobalAveragePool&) {
                     Numbers result;
                     for (std::int64_t c = 0; c < a.channels; ++c) {
                       double sum = 0;
                       for (std::int64_t y = 0; y < a.height; ++y) {
                         for (std::int64_t x = 0; x < a.width; ++x) sum += a.at(c, y, x);
                       }
                       result.push_back(sum / static_cast<double>(a.height * a.width));
                     }
                     return result;
                   },
                   [&](const Add&) { return pairs([](double x, double y) { return x + y; }); },
                   [&](const Mul&) { return pairs([](double x, double y) { return x * y; }); },
                   [&](const Concat&) {
                     Numbers result;
                     for (const ValueId id : node.inputs) {
                       const Numbers& part = values[static_cast<std::size_t>(id)];
                       result.insert(result.end(), part.begin(), part.end());
                     }
                     return result;
                   },
                   [&](const Reshape&) { return *a.data; },
                   [&](const Pad& op) {
                     return generate(out, [&](std::int64_t c, std::int64_t y, std::int64_t x) {
                       const std::int64_t row = y - op.padding.top;
                       const std::int64_t column = x - op.padding.left;
                       return a.holds(row, column) ? a.at(c, row, column) : static_cast<double>(op.value);
                     });
                   },
                   [&](const Softmax&) { return run_softmax(a, out); }},
        node.op);
  }
  return values[static_cast<std::size_t>(graph.output)];
}

}  // namespace trimtab::test
