#include "import/onnx_idioms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "base/index.h"
#include "graph/passes.h"

namespace trimtab::onnx_reader {
namespace {

constexpr float unbounded = std::numeric_limits<float>::infinity();

[[nodiscard]] bool close(double a, double b) { return std::abs(a - b) <= 1e-5; }

[[nodiscard]] bool all_are(const Tensor& tensor, float number) {
  return std::all_of(tensor.data.begin(), tensor.data.end(), [&](float x) { return x == number; });
}

struct Uniform {
  double scale;
  double offset;
};

/// The Affine's scale and offset where they are the same for all channels.
[[nodiscard]] std::optional<Uniform> uniform(const Operator* op) {
  const auto* affine = op != nullptr ? std::get_if<Affine>(op) : nullptr;
  if (affine == nullptr || !all_are(affine->scale, affine->scale.data[0]) ||
      !all_are(affine->offset, affine->offset.data[0])) {
    return std::nullopt;
  }
  return Uniform{affine->scale.data[0], affine->offset.data[0]};
}

/// Relu is a Clip from 0.
[[nodiscard]] std::optional<Clip> as_clip(const Operator* op) {
  if (op == nullptr) return std::nullopt;
  if (std::holds_alternative<Relu>(*op)) return Clip{0, unbounded};
  const auto* clip = std::get_if<Clip>(op);
  return clip != nullptr ? std::optional(*clip) : std::nullopt;
}

/// For each channel of the result its place among the input's, where pixels stay where they are.
[[nodiscard]] std::optional<std::vector<std::int64_t>> channel_order(const Permute& op, const Shape& input) {
  constexpr std::int64_t most_channels = 1 << 16;
  if (input.size() != 3 || op.shape != input || input[0] > most_channels) return std::nullopt;
  std::size_t dimensions = 0;  // that make up the channels
  std::int64_t channels = 1;
  while (channels < input[0] && dimensions < op.from.size()) channels *= op.from[dimensions++];
  if (channels != input[0]) return std::nullopt;
  for (std::size_t i = dimensions; i < op.order.size(); ++i) {
    if (op.order[i] != static_cast<std::int64_t>(i)) return std::nullopt;
  }
  std::vector<std::int64_t> strides(dimensions, 1);
  for (std::size_t i = dimensions; i-- > 1;) strides[i - 1] = strides[i] * op.from[i];
  std::vector<std::int64_t> order{0};
  for (std::size_t i = 0; i < dimensions; ++i) {
    const auto axis = static_cast<std::size_t>(op.order[i]);
    std::vector<std::int64_t> finer;
    for (const std::int64_t base : order) {
      for (std::int64_t k = 0; k < op.from[axis]; ++k) finer.push_back(base + k * strides[axis]);
    }
    order = std::move(finer);
  }
  return order;
}

/// One walk over the nodes. A rewritten node reads past those it has taken in; they are removed afterwards.
class Sweep {
 public:
  explicit Sweep(Graph& graph)
      : graph_(graph), maker_(graph.values.size(), -1), readers_(graph.values.size(), 0), alias_(graph.values.size()) {
    std::iota(alias_.begin(), alias_.end(), 0);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      maker_[at(graph.nodes[i].output)] = static_cast<std::int64_t>(i);
      for (const ValueId input : graph.nodes[i].inputs) ++readers_[at(input)];
    }
    ++readers_[at(graph.output)];
  }

  /// Whether anything changed.
  [[nodiscard]] bool run() {
    bool changed = false;
    for (Node& node : graph_.nodes) {
      for (ValueId& input : node.inputs) input = alias_[at(input)];
      changed = rewrite(node) || changed;
    }
    graph_.output = alias_[at(graph_.output)];
    return changed;
  }

 private:
  [[nodiscard]] static std::size_t at(ValueId value) { return static_cast<std::size_t>(value); }

  /// The node that makes the value if only one node reads it, or null.
  [[nodiscard]] Node* sole(ValueId value) {
    const std::int64_t made_by = maker_[at(value)];
    return made_by >= 0 && readers_[at(value)] == 1 ? &nth(graph_.nodes, made_by) : nullptr;
  }
  [[nodiscard]] const Node* maker(ValueId value) const {
    const std::int64_t made_by = maker_[at(value)];
    return made_by < 0 ? nullptr : &nth(graph_.nodes, made_by);
  }
  /// The node reads what `before` reads, instead of what it makes.
  void read_past(Node& node, const Node& before) {
    --readers_[at(node.inputs[0])];
    node.inputs[0] = before.inputs[0];
    ++readers_[at(node.inputs[0])];
  }
  [[nodiscard]] static const Operator* op_of(const Node* node) { return node != nullptr ? &node->op : nullptr; }

  /// Those who read the node's output read `value` instead.
  bool replace_by(const Node& node, ValueId value) {
    alias_[at(node.output)] = value;
    readers_[at(value)] += readers_[at(node.output)] - 1;
    return true;
  }

  bool rewrite(Node& node) {
    if (std::holds_alternative<Affine>(node.op)) return rewrite_affine(node);
    if (as_clip(&node.op).has_value()) return rewrite_clip(node);
    if (std::holds_alternative<Mul>(node.op)) return rewrite_mul(node);
    if (std::holds_alternative<Permute>(node.op)) return rewrite_permute(node);
    if (std::holds_alternative<Gather>(node.op)) return rewrite_gather(node);
    return false;
  }

  bool rewrite_affine(Node& node) {
    auto& affine = std::get<Affine>(node.op);
    if (all_are(affine.scale, 1) && all_are(affine.offset, 0)) return replace_by(node, node.inputs[0]);
    Node* before = sole(node.inputs[0]);
    if (before == nullptr) return false;
    if (auto* inner = std::get_if<Affine>(&before->op)) {
      for (std::size_t c = 0; c < affine.scale.data.size(); ++c) {
        affine.offset.data[c] += affine.scale.data[c] * inner->offset.data[c];
        affine.scale.data[c] *= inner->scale.data[c];
      }
      node.inputs[0] = before->inputs[0];
      return true;
    }
    if (all_are(affine.scale, 1)) {
      if (auto* conv = std::get_if<Conv>(&before->op)) return add_bias(conv->bias, affine, node);
      if (auto* linear = std::get_if<Linear>(&before->op)) return add_bias(linear->bias, affine, node);
    }
    const auto outer = uniform(&node.op);
    if (!outer.has_value()) return false;
    if (auto* mul = std::get_if<Mul>(&before->op); mul != nullptr && outer->offset == 0) {
      for (const ValueId factor : before->inputs) {  // x * clip(a x + b, 0, h) / h
        Node* clip = sole(factor);
        if (clip != nullptr && make_hard_sigmoid(*clip, *clip, *outer)) return replace_by(node, before->output);
      }
    }
    return make_hard_sigmoid(*before, node, *outer);
  }

  bool add_bias(Tensor& bias, const Affine& affine, const Node& node) {
    if (bias.empty()) bias = {affine.offset.shape, std::vector<float>(affine.offset.data.size(), 0.0F)};
    for (std::size_t c = 0; c < bias.data.size(); ++c) bias.data[c] += affine.offset.data[c];
    return replace_by(node, node.inputs[0]);
  }

  /// scale * clip(a x + b) + offset, if it runs from 0 to 1, is a HardSigmoid of x, which `target` becomes.
  bool make_hard_sigmoid(const Node& clip_node, Node& target, Uniform outer) {
    const auto clip = as_clip(&clip_node.op);
    if (!clip.has_value()) return false;
    const Node* inner_node = sole(clip_node.inputs[0]);
    const auto inner = uniform(op_of(inner_node));
    if (!inner.has_value() || !close(clip->low * outer.scale + outer.offset, 0) ||
        !close(clip->high * outer.scale + outer.offset, 1)) {
      return false;
    }
    const ValueId x = inner_node->inputs[0];
    target.op = HardSigmoid{static_cast<float>(inner->scale * outer.scale),
                            static_cast<float>(inner->offset * outer.scale + outer.offset)};
    target.inputs = {x};
    return true;
  }

  bool rewrite_clip(Node& node) {
    const Clip outer = *as_clip(&node.op);
    if (outer.low == 0 && outer.high == 1 && make_hard_sigmoid(node, node, {1, 0})) return true;
    const Node* before = sole(node.inputs[0]);
    const auto inner = as_clip(op_of(before));
    if (!inner.has_value()) return false;
    const float low = std::clamp(inner->low, outer.low, outer.high);
    const float high = std::clamp(inner->high, outer.low, outer.high);
    node.op = low == 0 && high == unbounded ? Operator(Relu{}) : Operator(Clip{low, high});
    node.inputs[0] = before->inputs[0];
    return true;
  }

  /// A Permute cuts its input itself; and one that only puts channels into another order is a Gather.
  bool rewrite_permute(Node& node) {
    const Node* before = maker(node.inputs[0]);
    if (before != nullptr && std::holds_alternative<Reshape>(before->op)) {
      read_past(node, *before);
      return true;
    }
    auto order = channel_order(std::get<Permute>(node.op), graph_.shape_of(node.inputs[0]));
    if (!order.has_value()) return false;
    node.op = Gather{0, std::move(*order)};
    return true;
  }

  /// Part of a part, or a part of channels in another order.
  bool rewrite_gather(Node& node) {
    const Node* before = maker(node.inputs[0]);
    const auto* inner = before != nullptr ? std::get_if<Gather>(&before->op) : nullptr;
    auto& op = std::get<Gather>(node.op);
    if (inner == nullptr || inner->axis != op.axis) return false;
    for (std::int64_t& index : op.indices) index = nth(inner->indices, index);
    read_past(node, *before);
    return true;
  }

  bool rewrite_mul(Node& node) {
    for (std::size_t i = 0; i < 2; ++i) {
      const ValueId x = node.inputs[1 - i];
      Node* factor = sole(node.inputs[i]);
      if (factor == nullptr) continue;
      const auto* gate = std::get_if<HardSigmoid>(&factor->op);
      if (gate != nullptr && factor->inputs[0] == x && close(gate->alpha, 1.0 / 6) && close(gate->beta, 0.5)) {
        node.op = HardSwish{};
        node.inputs = {x};
        return true;
      }
      const Node* scaled = sole(x);  // (x / h) * clip(a x + b, 0, h)
      const auto scale = uniform(op_of(scaled));
      if (scale.has_value() && scale->offset == 0 && make_hard_sigmoid(*factor, *factor, *scale)) {
        node.inputs[1 - i] = scaled->inputs[0];
        return true;
      }
    }
    return false;
  }

  Graph& graph_;
  std::vector<std::int64_t> maker_;
  std::vector<std::int64_t> readers_;
  std::vector<ValueId> alias_;
};

}  // namespace

Graph recognize_idioms(Graph graph) {
  while (Sweep(graph).run()) graph = remove_unused(std::move(graph));
  return graph;
}

}  // namespace trimtab::onnx_reader
