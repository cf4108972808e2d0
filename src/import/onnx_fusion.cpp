#include <algorithm>
#include <limits>
#include <optional>

#include "base/index.h"
#include "graph/passes.h"
#include "import/onnx_idioms.h"

namespace trimtab::onnx_reader {
namespace {

using Kind = FunctionStep::Kind;

/// A value as a function of another one.
struct Use {
  ScalarFunction function;  ///< no steps: the value itself
  ValueId base = -1;
};

/// The function that a device looks up in a table; nothing for other operators.
[[nodiscard]] std::optional<ScalarFunction> as_table(const Operator& op) {
  if (const auto* function = std::get_if<ScalarFunction>(&op)) return *function;
  if (std::holds_alternative<Sigmoid>(op)) return ScalarFunction{{{Kind::sigmoid}}};
  if (const auto* leaky = std::get_if<LeakyRelu>(&op)) return ScalarFunction{{{Kind::leaky, -1, -1, leaky->alpha, 0}}};
  const auto* hard = std::get_if<HardSigmoid>(&op);
  const bool swish = std::holds_alternative<HardSwish>(op);
  if (hard == nullptr && !swish) return std::nullopt;
  const HardSigmoid gate = swish ? HardSigmoid{} : *hard;
  const ScalarFunction gated{{{Kind::affine, -1, -1, gate.alpha, gate.beta}, {Kind::clip, 0, -1, 0, 1}}};
  return swish ? combine(Kind::multiply, {}, gated) : gated;
}

/// An Affine that is the same for all channels.
[[nodiscard]] std::optional<ScalarFunction> as_uniform_affine(const Operator& op) {
  const auto* affine = std::get_if<Affine>(&op);
  if (affine == nullptr) return std::nullopt;
  const auto uniform = [](const Tensor& tensor) {
    return std::all_of(tensor.data.begin(), tensor.data.end(), [&](float x) { return x == tensor.data[0]; });
  };
  if (!uniform(affine->scale) || !uniform(affine->offset)) return std::nullopt;
  return ScalarFunction{{{Kind::affine, -1, -1, affine->scale.data[0], affine->offset.data[0]}}};
}

/// The saturation behind a table.
[[nodiscard]] std::optional<ScalarFunction> as_saturation(const Operator& op) {
  constexpr float most = std::numeric_limits<float>::max();
  if (std::holds_alternative<Relu>(op)) return ScalarFunction{{{Kind::clip, -1, -1, 0, most}}};
  const auto* clip = std::get_if<Clip>(&op);
  if (clip == nullptr) return std::nullopt;
  return ScalarFunction{{{Kind::clip, -1, -1, std::max(clip->low, -most), std::min(clip->high, most)}}};
}

class Fusion {
 public:
  explicit Fusion(Graph& graph) : graph_(graph), maker_(graph.values.size(), -1), readers_(graph.values.size(), 0) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      nth(maker_, graph.nodes[i].output) = static_cast<std::int64_t>(i);
      for (const ValueId input : graph.nodes[i].inputs) ++nth(readers_, input);
    }
    ++nth(readers_, graph.output);
  }

  void run() {
    for (Node& node : graph_.nodes) {
      if (node.inputs.size() == 1) fuse_chain(node);
      if (node.inputs.size() == 2) fuse_pair(node);
    }
  }

 private:
  static constexpr std::size_t most_steps = 64;

  [[nodiscard]] const Node* maker(ValueId value) const {
    const std::int64_t index = nth(maker_, value);
    return index < 0 ? nullptr : &nth(graph_.nodes, index);
  }

  /// The value as a function of its maker's input: a table, or an Affine that nobody else reads. A saturation stays,
  /// since the layer before it does that for nothing.
  [[nodiscard]] std::optional<Use> use_of(ValueId value) const {
    const Node* node = maker(value);
    if (node == nullptr || node->inputs.size() != 1) return std::nullopt;
    auto function = as_table(node->op);
    if (!function.has_value() && nth(readers_, value) == 1) function = as_uniform_affine(node->op);
    if (!function.has_value()) return std::nullopt;
    return Use{*function, node->inputs[0]};
  }

  void fuse_chain(Node& node) {
    const auto inner = use_of(node.inputs[0]);
    if (!inner.has_value()) return;
    auto outer = as_table(node.op);
    const bool inner_is_table = as_table(maker(node.inputs[0])->op).has_value();
    if (!outer.has_value() && inner_is_table && nth(readers_, node.inputs[0]) == 1) {
      outer = as_uniform_affine(node.op);
      if (!outer.has_value()) outer = as_saturation(node.op);
    }
    if (outer.has_value()) replace(node, compose(*outer, inner->function), inner->base);
  }

  /// f(x) + g(x) and f(x) * g(x).
  void fuse_pair(Node& node) {
    const bool adds = std::holds_alternative<Add>(node.op);
    if (!adds && !std::holds_alternative<Mul>(node.op)) return;
    if (graph_.shape_of(node.inputs[0]) != graph_.shape_of(node.inputs[1])) return;
    const auto uses = [&](ValueId value) {
      std::vector<Use> result;
      if (auto use = use_of(value)) result.push_back(std::move(*use));
      result.push_back({{}, value});
      return result;
    };
    const Kind kind = adds ? Kind::add : Kind::multiply;
    for (const Use& left : uses(node.inputs[0])) {
      for (const Use& right : uses(node.inputs[1])) {
        if (left.base != right.base) continue;
        if (left.function.steps.empty() && right.function.steps.empty() && adds) continue;
        replace(node, combine(kind, left.function, right.function), left.base);
        return;
      }
    }
  }

  void replace(Node& node, ScalarFunction function, ValueId base) {
    if (function.steps.size() > most_steps) return;
    for (const ValueId input : node.inputs) --nth(readers_, input);
    ++nth(readers_, base);
    node.op = std::move(function);
    node.inputs = {base};
  }

  Graph& graph_;
  std::vector<std::int64_t> maker_;
  std::vector<std::int64_t> readers_;
};

}  // namespace

Graph fuse_functions(Graph graph) {
  Fusion(graph).run();
  return remove_unused(std::move(graph));
}

}  // namespace trimtab::onnx_reader
