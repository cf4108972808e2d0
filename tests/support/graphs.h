#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "graph/graph.h"

namespace trimtab::test {

inline Tensor random_tensor(Shape shape, Random& random, double low = -1, double high = 1) {
  Tensor tensor{std::move(shape), {}};
  for (std::int64_t i = 0; i < element_count(tensor.shape); ++i) {
    tensor.data.push_back(static_cast<float>(random.uniform(low, high)));
  }
  return tensor;
}

/// A graph made node by node; the last value is its output.
class GraphMaker {
 public:
  explicit GraphMaker(Shape input) {
    graph_.name = "test";
    graph_.values.push_back({"input", std::move(input)});
    graph_.input = graph_.output = 0;
  }
  ValueId add(Operator op, std::vector<ValueId> inputs) {
    Node node{"node" + std::to_string(graph_.nodes.size()), std::move(op), std::move(inputs),
              static_cast<ValueId>(graph_.values.size())};
    std::vector<Shape> shapes;
    for (const ValueId value : node.inputs) shapes.push_back(graph_.shape_of(value));
    graph_.values.push_back({node.name, infer_shape(node, shapes)});
    graph_.output = node.output;
    graph_.nodes.push_back(std::move(node));
    return graph_.output;
  }
  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const Shape& shape(ValueId value) const { return graph_.shape_of(value); }

 private:
  Graph graph_;
};

inline Conv random_conv(std::int64_t from, std::int64_t to, std::int64_t rows, std::int64_t columns,
                        std::int64_t groups, Random& random) {
  Conv conv;
  conv.weight = random_tensor({to, from / groups, rows, columns}, random);
  conv.bias = random_tensor({to}, random);
  conv.groups = groups;
  return conv;
}

inline BatchNormalization random_normalization(std::int64_t channels, Random& random) {
  return {random_tensor({channels}, random, 0.5, 2), random_tensor({channels}, random),
          random_tensor({channels}, random), random_tensor({channels}, random, 0.2, 2), 1e-3F};
}

}  // namespace trimtab::test
