#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <torch/utils.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// The parameters of one node. Tensors that its operator does not have are undefined.
struct NodeParameters {
  torch::Tensor weight;    ///< Conv, Linear: weight; BatchNormalization, Affine: scale
  torch::Tensor bias;      ///< Conv, Linear: bias, if it has one; BatchNormalization: bias; Affine: offset
  torch::Tensor mean;      ///< BatchNormalization: running mean
  torch::Tensor variance;  ///< BatchNormalization: running variance
};

/// A tensor that training changes by its gradient.
struct TrainedTensor {
  std::string name;
  torch::Tensor tensor;
  bool decays = false;             ///< weight decay applies
  double learning_rate_scale = 1;  ///< of this tensor
};

/// Images {N, C, H, W} with rows and columns around them that hold `value` {1, C, 1, 1}, or 0 where it is undefined.
[[nodiscard]] torch::Tensor pad_images(const torch::Tensor& input, const Padding& around, const torch::Tensor& value);

/// Runs a graph in libtorch with autograd. Weights and biases of Conv and Linear, scale and bias of BatchNormalization
/// require gradients; running statistics and the constants of Affine do not. Images are kept channels last: ResNet-8
/// then trains 1.3 times as fast, and results change by rounding only. Assumes a graph that `validate` accepts.
class Executor {
 public:
  explicit Executor(Graph graph, torch::Device device = torch::kCPU);

  /// Output of the graph, or of the value `until` (its later nodes are then not run), for a batch {N, C, H, W} or
  /// {N, features}. With `training`, BatchNormalization uses the batch's statistics and updates its running ones.
  /// Intermediate values live no longer than they are read. For inference, call it under torch::NoGradGuard.
  [[nodiscard]] torch::Tensor forward(torch::Tensor input, bool training, ValueId until = -1);

  /// Gives the tensor that a Conv or Linear multiplies with instead of its weight. Quantization-aware training puts its
  /// fake quantization here. Called in every forward pass with the index into graph().nodes.
  std::function<torch::Tensor(std::size_t node, const torch::Tensor& weight)> weight_hook;
  /// Gives the tensor that readers of a value get instead of it. Called on the graph's input and on every node's
  /// output.
  std::function<torch::Tensor(ValueId value, const torch::Tensor& tensor)> value_hook;
  /// Called instead of running a node, where it is set. Where its result is undefined, the node runs as usual. `inputs`
  /// are the node's inputs after the hook above.
  std::function<torch::Tensor(std::size_t node, const std::vector<torch::Tensor>& inputs, bool training)> node_hook;

  /// Makes forward passes, and the backward passes that follow them, compute in bfloat16. Values and their gradients
  /// are rounded to 8 significant bits. Sums of products, statistics, parameters and the result are in single
  /// precision.
  bool bfloat16 = false;
  /// Share of the new batch in the running statistics (torch's meaning).
  double batch_norm_momentum = 0.1;

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] torch::Device device() const { return device_; }
  [[nodiscard]] NodeParameters& parameters_of(std::size_t node) { return nodes_.at(node).parameters; }

  /// The trainable tensors, "NODE.weight" and "NODE.bias", in the order of the nodes. They share storage with the
  /// executor's. Weights decay, biases and BatchNormalization do not.
  [[nodiscard]] std::vector<TrainedTensor> parameters() const;
  /// Everything that training changes: the trainable tensors and the running statistics, in the order of the nodes.
  /// They share storage with the executor's.
  [[nodiscard]] std::vector<torch::Tensor> state() const;

  /// The graph with the parameters as they are now.
  [[nodiscard]] Graph to_graph() const;

 private:
  struct NodeState {
    NodeParameters parameters;
    torch::Tensor padding_value;           ///< Conv that pads with something other than 0: {1, C, 1, 1}
    torch::Tensor reciprocal_count;        ///< average pool that libtorch cannot pad itself: {1, 1, H, W}
    std::vector<ValueId> last_read;        ///< values that nobody reads after this node
    bool in_place = false;                 ///< an activation function that may overwrite its input
    std::optional<Padding> explicit_pads;  ///< padding to do before the operator, where libtorch cannot
  };

  [[nodiscard]] torch::Tensor run_node(std::size_t index, const std::vector<torch::Tensor>& inputs, bool training);
  void prepare(std::size_t index);
  void prepare_pool(const Pool& pool, std::size_t index);
  void plan_lifetimes();
  [[nodiscard]] torch::Tensor upload(const Tensor& tensor, bool trainable) const;
  /// In the type that convolutions compute in.
  [[nodiscard]] torch::Tensor to_computed(const torch::Tensor& tensor) const;
  /// The tensor that a Conv or Linear multiplies with.
  [[nodiscard]] torch::Tensor weight_of(std::size_t index) const;
  [[nodiscard]] torch::Tensor convolve(const Conv& conv, std::size_t index, const torch::Tensor& input);
  [[nodiscard]] torch::Tensor pool(const Pool& pool, const NodeState& state, torch::Tensor input) const;

  Graph graph_;
  torch::Device device_;
  std::vector<NodeState> nodes_;  ///< by index into graph_.nodes
};

/// The value that holds the logits: the input of the Softmax that makes the graph's output, or else the output.
[[nodiscard]] ValueId logits_of(const Graph& graph);

/// "auto" (CUDA where there is one), "cpu" or "cuda[:N]". Throws Error (bad input).
[[nodiscard]] torch::Device parse_device(const std::string& name);

/// Sets the number of threads (0: all cores) and makes every one of them flush denormals, which would slow trained
/// networks down.
void configure_threads(int threads);

}  // namespace trimtab
