#include "learn/inference.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "learn/executor.h"

namespace trimtab {

struct FloatNetwork::State {
  Executor executor;
};

FloatNetwork::FloatNetwork(Graph graph, const std::string& device, int threads) {
  configure_threads(threads);
  state_ = std::make_unique<State>(State{Executor(std::move(graph), parse_device(device))});
}
FloatNetwork::~FloatNetwork() = default;
FloatNetwork::FloatNetwork(FloatNetwork&&) noexcept = default;
FloatNetwork& FloatNetwork::operator=(FloatNetwork&&) noexcept = default;

const Graph& FloatNetwork::graph() const { return state_->executor.graph(); }

std::vector<float> FloatNetwork::run(std::span<const float> inputs, std::int64_t count, std::int64_t batch_size) const {
  const torch::NoGradGuard no_gradients;
  const std::int64_t in = element_count(graph().input_shape());
  const std::int64_t out = element_count(graph().output_shape());
  if (count < 0 || static_cast<std::int64_t>(inputs.size()) != count * in) {
    throw bad_input("{} inputs were given to the network {}; {} samples of {} need {}", inputs.size(), graph().name,
                    count, to_string(graph().input_shape()), count * in);
  }
  std::vector<float> outputs(static_cast<std::size_t>(count * out));
  for (std::int64_t first = 0; first < count; first += batch_size) {
    const std::int64_t size = std::min(batch_size, count - first);
    const torch::Tensor batch =
        torch::from_blob(const_cast<float*>(inputs.data() + first * in), {size, in}, torch::kFloat32);
    const torch::Tensor result = state_->executor.forward(batch, false).to(torch::kCPU).contiguous();
    std::copy_n(result.data_ptr<float>(), size * out, outputs.begin() + first * out);
  }
  return outputs;
}

std::vector<float> FloatNetwork::run(const Dataset& data, const Preprocessing& preprocessing,
                                     std::int64_t batch_size) const {
  const auto size = static_cast<std::size_t>(element_count(data.shape));
  std::vector<float> inputs;
  std::vector<float> outputs;
  for (std::int64_t first = 0; first < data.size(); first += batch_size) {
    const std::int64_t count = std::min(batch_size, data.size() - first);
    inputs.resize(static_cast<std::size_t>(count) * size);
    for (std::int64_t i = 0; i < count; ++i) {
      data.read(first + i, preprocessing, std::span(inputs).subspan(static_cast<std::size_t>(i) * size, size));
    }
    const std::vector<float> results = run(inputs, count, batch_size);
    outputs.insert(outputs.end(), results.begin(), results.end());
  }
  return outputs;
}

}  // namespace trimtab
