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
      : integers(network), output_zero(nth(network.values, network.graph.output)->zero_point) {}
  IntegerNetwork integers;
  std::int32_t output_zero;
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
    std::transform(numbers, numbers + result.numel(), std::back_inserter(outputs),
                   [&](std::int32_t step) { return step + implementation_->output_zero; });
  }
  return outputs;
}

double QuantizedSimulation::top1(const Dataset& data) const {
  std::int64_t right = 0;
  for (std::int64_t start = 0; start < data.size(); start += simulation_batch) {
    const std::int64_t size = std::min(simulation_batch, data.size() - start);
    const std::vector<std::int32_t> outputs = run(data, start, size);
    const std::size_t classes = outputs.size() / static_cast<std::size_t>(size);
    for (std::int64_t i = 0; i < size; ++i) {
      const auto* row = outputs.data() + static_cast<std::size_t>(i) * classes;
      right += std::max_element(row, row + classes) - row == nth(data.labels, start + i) ? 1 : 0;
    }
  }
  return data.size() == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(data.size());
}

}  // namespace trimtab
