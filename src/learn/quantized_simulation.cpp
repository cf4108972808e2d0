#include "learn/quantized_simulation.h"

#include <algorithm>
#include <iterator>

#include "base/index.h"
#include "learn/integer_network.h"

namespace trimtab {

namespace {
constexpr std::int64_t simulation_batch = 64;
}

class QuantizedSimulation::Implementation {
 public:
  explicit Implementation(const QuantizedNetwork& network)
      : integers(network), graph(network.graph), output(output_grids(network)) {}
  IntegerNetwork integers;
  Graph graph;
  std::vector<ActivationGrid> output;  ///< by element
};

QuantizedSimulation::QuantizedSimulation(const QuantizedNetwork& network)
    : implementation_(std::make_unique<Implementation>(network)) {}
QuantizedSimulation::~QuantizedSimulation() = default;
QuantizedSimulation::QuantizedSimulation(QuantizedSimulation&&) noexcept = default;
QuantizedSimulation& QuantizedSimulation::operator=(QuantizedSimulation&&) noexcept = default;

std::vector<std::int32_t> QuantizedSimulation::run(const Dataset& data, std::int64_t first, std::int64_t count) const {
  std::vector<std::int32_t> outputs;
  for (std::int64_t start = first; start < first + count; start += simulation_batch) {
    const std::int64_t size = std::min(simulation_batch, first + count - start);
    const torch::Tensor result =
        implementation_->integers.forward(raw_batch(data, start, size)).to(torch::kInt32).contiguous();
    const auto* numbers = result.data_ptr<std::int32_t>();
    const auto elements = std::ssize(implementation_->output);
    for (std::int64_t i = 0; i < result.numel(); ++i)
      outputs.push_back(numbers[i] + nth(implementation_->output, i % elements).zero_point);
  }
  return outputs;
}

Score QuantizedSimulation::score(const Dataset& data, const std::optional<Task>& task) const {
  const Graph& graph = implementation_->graph;
  Scorer scorer(task ? *task : choose_task({}, output_of(graph), data, {}), data, {});
  std::vector<float> reals;
  for (std::int64_t start = 0; start < data.size(); start += simulation_batch) {
    const std::vector<std::int32_t> outputs = run(data, start, std::min(simulation_batch, data.size() - start));
    reals.clear();
    const auto elements = std::ssize(implementation_->output);
    for (std::int64_t i = 0; i < std::ssize(outputs); ++i)
      reals.push_back(dequantize(nth(outputs, i), nth(implementation_->output, i % elements)));
    scorer.add(start, reals);
  }
  return scorer.score();
}

}  // namespace trimtab
