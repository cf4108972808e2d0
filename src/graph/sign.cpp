#include "graph/sign.h"

#include <algorithm>

#include "base/index.h"

namespace trimtab {
namespace {

/// Whether the operator makes values >= 0 whatever it reads.
bool rectifies(const Operator& op) {
  if (const auto* clip = std::get_if<Clip>(&op)) {
    return clip->low >= 0;
  }
  if (const auto* function = std::get_if<ScalarFunction>(&op)) {
    return is_non_negative(*function);
  }
  const auto* softmax = std::get_if<Softmax>(&op);
  return std::holds_alternative<Relu>(op) || std::holds_alternative<Sigmoid>(op) ||
         std::holds_alternative<HardSigmoid>(op) || (softmax != nullptr && !softmax->logarithm);
}

/// Whether the operator makes values >= 0 from inputs that are all >= 0.
bool keeps_sign(const Operator& op) {
  if (const auto* pad = std::get_if<Pad>(&op)) {
    return pad->value >= 0;
  }
  return std::holds_alternative<Pool>(op) || std::holds_alternative<GlobalAveragePool>(op) ||
         std::holds_alternative<Add>(op) || std::holds_alternative<Mul>(op) || std::holds_alternative<Concat>(op) ||
         std::holds_alternative<Reshape>(op) || std::holds_alternative<Gather>(op) ||
         std::holds_alternative<Permute>(op) || std::holds_alternative<LeakyRelu>(op) ||
         std::holds_alternative<HardSwish>(op);
}

}  // namespace

std::vector<bool> non_negative_values(const Graph& graph) {
  std::vector<bool> non_negative(graph.values.size(), false);
  for (const Node& node : graph.nodes) {
    nth(non_negative, node.output) =
        rectifies(node.op) ||
        (keeps_sign(node.op) &&
         std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) { return nth(non_negative, input); }));
  }
  return non_negative;
}

}  // namespace trimtab
