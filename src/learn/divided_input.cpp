#include "learn/divided_input.h"

#include <algorithm>
#include <cmath>

#include "base/index.h"

namespace trimtab {

namespace {

/// Whether everybody who reads the input multiplies it with weights.
bool input_can_be_divided(const Graph& graph) {
  const std::vector<std::int64_t> readers = graph.consumers(graph.input);
  return std::all_of(readers.begin(), readers.end(),
                     [&](std::int64_t reader) { return weight_of(nth(graph.nodes, reader).op) != nullptr; });
}

void multiply_input(Tensor& tensor, float factor) {
  for (float& number : tensor.data) number *= factor;
}

}  // namespace

double input_size(const Dataset& data) {
  double squares = 0;
  std::vector<float> sample(static_cast<std::size_t>(element_count(data.shape)));
  const std::int64_t samples = std::min<std::int64_t>(data.size(), 256);
  for (std::int64_t i = 0; i < samples; ++i) {
    data.read(i, {}, sample);
    for (const double raw : sample) squares += raw * raw;
  }
  const std::int64_t count = samples * std::ssize(sample);
  return std::sqrt(squares / static_cast<double>(std::max<std::int64_t>(count, 1)));
}

float input_divisor(const Graph& prepared, const Dataset& data) {
  const double size = input_can_be_divided(prepared) ? input_size(data) : 1;
  return size > 0 ? static_cast<float>(std::exp2(std::round(std::log2(size)))) : 1.0F;
}

Graph for_divided_input(Graph graph, float divisor) {
  for (const std::int64_t reader : graph.consumers(graph.input)) {
    std::visit(overloaded{[&](Conv& op) {
                            multiply_input(op.weight, divisor);
                            multiply_input(op.padding_value, 1 / divisor);
                          },
                          [&](Linear& op) { multiply_input(op.weight, divisor); }, [](auto&) {}},
               nth(graph.nodes, reader).op);
  }
  return graph;
}

Preprocessing division_by(float divisor, const Dataset& data) {
  return {{}, std::vector<float>(static_cast<std::size_t>(data.shape.at(0)), divisor)};
}

}  // namespace trimtab
