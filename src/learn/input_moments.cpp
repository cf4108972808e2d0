#include "learn/input_moments.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "learn/executor.h"
#include "learn/integer_network.h"

namespace trimtab {
namespace {

/// Sums over the patches seen so far, of one node.
struct Sums {
  torch::Tensor squares;  ///< {groups, size, size}, double
  torch::Tensor values;   ///< {groups, size}, double
  double count = 0;
};

/// The numbers that meet the weights at some output positions of every sample: {groups, patches, size}.
torch::Tensor patches_of(const Conv& conv, const torch::Tensor& input, std::int64_t positions, Random& random) {
  const std::vector<float>& value = conv.padding_value.data;
  const torch::Tensor padded =
      pad_images(input, conv.padding, value.empty() ? torch::Tensor() : torch::tensor(value).view({1, -1, 1, 1}));
  torch::Tensor columns = torch::im2col(padded.contiguous(), {conv.weight.shape[2], conv.weight.shape[3]},
                                        {conv.dilation[0], conv.dilation[1]}, {0, 0}, {conv.stride[0], conv.stride[1]});
  if (positions < columns.size(2)) {
    std::vector<std::int64_t> chosen(static_cast<std::size_t>(columns.size(2)));
    std::iota(chosen.begin(), chosen.end(), 0);
    random.shuffle(chosen);
    chosen.resize(static_cast<std::size_t>(positions));
    columns = columns.index_select(2, torch::tensor(chosen));
  }
  // {samples, channels * taps, positions}
  return columns.permute({1, 0, 2}).reshape({conv.groups, columns.size(1) / conv.groups, -1}).transpose(1, 2);
}

}  // namespace

std::vector<InputMoments> input_moments(const Graph& graph, const Dataset& samples, std::int64_t most_inputs,
                                        std::int64_t positions) {
  const torch::NoGradGuard no_gradients;
  std::vector<Sums> sums(graph.nodes.size());
  Random random(1);
  Executor executor(graph);
  executor.node_hook = [&](std::size_t node, const std::vector<torch::Tensor>& inputs, bool) {
    const torch::Tensor run_as_usual;
    torch::Tensor patches;
    if (const auto* conv = std::get_if<Conv>(&graph.nodes[node].op)) {
      if (element_count(conv->weight.shape) / conv->weight.shape[0] > most_inputs) return run_as_usual;
      patches = patches_of(*conv, inputs[0], positions, random);
    } else if (const auto* linear = std::get_if<Linear>(&graph.nodes[node].op)) {
      if (linear->weight.shape[1] > most_inputs) return run_as_usual;
      patches = inputs[0].reshape({1, inputs[0].size(0), -1});
    } else {
      return run_as_usual;
    }
    Sums& own = sums[node];
    const torch::Tensor squares = torch::bmm(patches.transpose(1, 2), patches).to(torch::kFloat64);
    const torch::Tensor values = patches.sum(1, false, torch::kFloat64);
    own.squares = own.squares.defined() ? own.squares + squares : squares;
    own.values = own.values.defined() ? own.values + values : values;
    own.count += static_cast<double>(patches.size(1));
    return run_as_usual;
  };
  constexpr std::int64_t batch = 4;
  for (std::int64_t first = 0; first < samples.size(); first += batch) {
    (void)executor.forward(raw_batch(samples, first, std::min(batch, samples.size() - first)), false);
  }
  std::vector<InputMoments> result(graph.nodes.size());
  for (std::size_t node = 0; node < result.size(); ++node) {
    const Sums& own = sums[node];
    if (!own.squares.defined()) continue;
    const torch::Tensor mean = own.values / own.count;
    const torch::Tensor centred =
        (own.squares / own.count - mean.unsqueeze(2) * mean.unsqueeze(1)).to(torch::kFloat32).contiguous();
    result[node] = {
        centred.size(0), centred.size(1), {centred.data_ptr<float>(), centred.data_ptr<float>() + centred.numel()}};
  }
  return result;
}

}  // namespace trimtab
