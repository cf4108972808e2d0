#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "graph/graph.h"

// Small random networks that use every operator, for tests that compare two ways to compute the same.
namespace trimtab::reference {

class GraphBuilder {
 public:
  GraphBuilder(std::uint64_t seed, const Shape& input) : random_(seed) {
    graph_.name = "random" + std::to_string(seed);
    graph_.values.push_back({"input", input});
    graph_.input = 0;
    graph_.output = 0;
  }

  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] const Shape& shape(ValueId value) const { return graph_.shape_of(value); }

  ValueId add(Operator op, std::vector<ValueId> inputs) {
    Node node{operator_name(op) + std::to_string(graph_.nodes.size()), std::move(op), std::move(inputs), -1};
    std::vector<Shape> shapes;
    for (const ValueId input : node.inputs) shapes.push_back(shape(input));
    node.output = static_cast<ValueId>(graph_.values.size());
    graph_.values.push_back({node.name + "_out", infer_shape(node, shapes)});
    graph_.nodes.push_back(std::move(node));
    return graph_.output = graph_.nodes.back().output;
  }

  [[nodiscard]] Tensor tensor(const Shape& dimensions, double low, double high) {
    Tensor result{dimensions, {}};
    for (std::int64_t i = 0; i < element_count(dimensions); ++i) {
      result.data.push_back(static_cast<float>(random_.uniform(low, high)));
    }
    return result;
  }
  [[nodiscard]] bool flip() { return random_.integer(0, 1) == 1; }
  [[nodiscard]] Padding padding(std::int64_t most) {
    const auto side = [&] { return random_.integer(0, most); };
    return {side(), side(), side(), side()};
  }

  [[nodiscard]] Conv conv(std::int64_t channels) {
    Conv op;
    op.groups = channels % 2 == 0 && flip() ? 2 : 1;
    if (random_.integer(0, 3) == 0) op.groups = channels;
    const std::int64_t outputs = op.groups * random_.integer(1, 3);
    op.weight = tensor({outputs, channels / op.groups, random_.integer(1, 3), random_.integer(1, 3)}, -0.6, 0.6);
    if (flip()) op.bias = tensor({outputs}, -0.5, 0.5);
    op.stride = {random_.integer(1, 2), random_.integer(1, 2)};
    op.dilation = {random_.integer(1, 2), random_.integer(1, 2)};
    op.padding = padding(2);
    if (flip()) op.padding_value = tensor({channels}, -1, 1);
    return op;
  }
  [[nodiscard]] Affine affine(std::int64_t channels) {
    return {tensor({channels}, 0.4, 1.5), tensor({channels}, -0.5, 0.5)};
  }
  [[nodiscard]] BatchNormalization batch_normalization(std::int64_t channels) {
    return {tensor({channels}, 0.4, 1.5), tensor({channels}, -0.5, 0.5), tensor({channels}, -0.5, 0.5),
            tensor({channels}, 0.3, 1.5), 1e-3F};
  }

  /// One more operator behind `x`, if the image is large enough.
  ValueId grow(ValueId x) {
    const Shape in = shape(x);
    switch (random_.integer(0, 15)) {
      case 0:
        return add(batch_normalization(in[0]), {x});
      case 1:
        return add(affine(in[0]), {x});
      case 2:
        return add(Relu{}, {x});
      case 3:
        return add(Clip{-0.5F, 0.75F}, {x});
      case 4:
        return add(LeakyRelu{0.1F}, {x});
      case 5:
        return flip() ? add(HardSigmoid{0.3F, 0.4F}, {x}) : add(HardSwish{}, {x});
      case 6:
        return add(Sigmoid{}, {x});
      case 7:
        return add(Pad{padding(2), flip() ? 0.0F : 0.3F}, {x});
      case 8: {
        if (in[1] < 4 || in[2] < 4) return x;
        Pool op;
        op.kind = flip() ? PoolKind::max : PoolKind::average;
        op.kernel = {random_.integer(2, 3), random_.integer(2, 3)};
        op.stride = {random_.integer(1, 2), random_.integer(1, 2)};
        op.padding = padding(1);
        op.ceil_mode = flip();
        op.count_include_pad = op.kind == PoolKind::average && flip();
        if (op.kind == PoolKind::max && flip()) op.dilation = {2, 1};
        if (op.kind == PoolKind::max && op.dilation[0] == 2) op.kernel[0] = 2;
        return add(op, {x});
      }
      case 9: {  // squeeze and excitation
        const ValueId mean = add(GlobalAveragePool{}, {x});
        const ValueId gate = add(Sigmoid{}, {mean});
        return flip() ? add(Mul{}, {x, gate}) : add(Mul{}, {gate, x});
      }
      case 10:
        return add(Add{}, {x, add(affine(in[0]), {x})});
      case 11:
        return in[0] > 8 ? x : add(Concat{}, {x, add(Relu{}, {x})});
      default:
        return in[1] < 6 || in[2] < 6 || in[0] > 12 ? x : add(conv(in[0]), {x});
    }
  }

  [[nodiscard]] Graph take() { return std::move(graph_); }

 private:
  Graph graph_;
  Random random_;
};

/// A network of about `length` operators on a small image, ending in a vector.
inline Graph random_graph(std::uint64_t seed, int length = 10) {
  GraphBuilder builder(seed, {static_cast<std::int64_t>(seed % 3) + 1, 9, 11});
  ValueId x = 0;
  for (int i = 0; i < length; ++i) x = builder.grow(x);
  if (builder.flip()) {
    x = builder.add(GlobalAveragePool{builder.flip()}, {x});
  } else if (builder.flip()) {
    x = builder.add(builder.affine(builder.shape(x)[0]), {x});
  }
  if (builder.shape(x).size() > 1) x = builder.add(Reshape{{element_count(builder.shape(x))}}, {x});
  const std::int64_t features = builder.shape(x)[0];
  x = builder.add(Linear{builder.tensor({5, features}, -0.3, 0.3), builder.tensor({5}, -1, 1)}, {x});
  if (builder.flip()) x = builder.add(Softmax{}, {x});
  return builder.take();
}

/// A random sample for the network.
inline std::vector<float> random_sample(const Graph& graph, std::uint64_t seed) {
  Random random(seed ^ 0x5eedU);
  std::vector<float> sample;
  for (std::int64_t i = 0; i < element_count(graph.input_shape()); ++i) {
    sample.push_back(static_cast<float>(random.uniform(-1, 1)));
  }
  return sample;
}

}  // namespace trimtab::reference
