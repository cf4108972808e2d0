#include "graph/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/index.h"

namespace trimtab {
namespace {

std::string padding_text(const Padding& padding) {
  return fmt::format("padding {},{},{},{}", padding.top, padding.left, padding.bottom, padding.right);
}

std::string value_text(const Graph& graph, ValueId value) {
  const std::string name = value >= 0 && value < std::ssize(graph.values) ? nth(graph.values, value).name : "";
  return fmt::format("{} {}", name.empty() ? fmt::format("value {}", value) : name, to_string(graph.shape_of(value)));
}

}  // namespace

std::string range_text(const Tensor& tensor) {
  if (tensor.empty()) return "none";
  const auto [low, high] = std::ranges::minmax(tensor.data);
  return fmt::format("{:.6g} .. {:.6g}", low, high);
}

std::string settings_text(const Operator& op) {
  return std::visit(
      overloaded{[](const Conv& conv) {
                   std::string text = fmt::format("{}, stride {}, dilation {}, {}, groups {}, weights {}, bias {}",
                                                  to_string(conv.weight.shape), fmt::join(conv.stride, "x"),
                                                  fmt::join(conv.dilation, "x"), padding_text(conv.padding),
                                                  conv.groups, range_text(conv.weight), range_text(conv.bias));
                   if (!conv.padding_value.empty())
                     text += fmt::format(", padded with {}", range_text(conv.padding_value));
                   return text;
                 },
                 [](const Linear& linear) {
                   return fmt::format("{}, weights {}, bias {}", to_string(linear.weight.shape),
                                      range_text(linear.weight), range_text(linear.bias));
                 },
                 [](const BatchNormalization& norm) {
                   return fmt::format("scale {}, bias {}, mean {}, variance {}", range_text(norm.scale),
                                      range_text(norm.bias), range_text(norm.mean), range_text(norm.variance));
                 },
                 [](const Affine& affine) {
                   return fmt::format("scale {}, offset {}", range_text(affine.scale), range_text(affine.offset));
                 },
                 [](const Clip& clip) { return fmt::format("{} .. {}", clip.low, clip.high); },
                 [](const LeakyRelu& leaky) { return fmt::format("alpha {}", leaky.alpha); },
                 [](const HardSigmoid& hard) { return fmt::format("alpha {}, beta {}", hard.alpha, hard.beta); },
                 [](const Pool& pool) {
                   return fmt::format("{}, stride {}, dilation {}, {}{}{}", fmt::join(pool.kernel, "x"),
                                      fmt::join(pool.stride, "x"), fmt::join(pool.dilation, "x"),
                                      padding_text(pool.padding), pool.ceil_mode ? ", ceil" : "",
                                      pool.count_include_pad ? ", padding counts" : "");
                 },
                 [](const Reshape& reshape) { return fmt::format("to {}", to_string(reshape.shape)); },
                 [](const Pad& pad) { return fmt::format("{}, value {}", padding_text(pad.padding), pad.value); },
                 [](const auto&) { return std::string{}; }},
      op);
}

std::string to_text(const Graph& graph) {
  std::string text = fmt::format("input: {}\noutput: {}\nnodes: {}\n\n", value_text(graph, graph.input),
                                 value_text(graph, graph.output), graph.nodes.size());
  for (const Node& node : graph.nodes) {
    const std::string settings = settings_text(node.op);
    text += fmt::format("{}: {}{}{}\n", node.name, operator_name(node.op), settings.empty() ? "" : ", ", settings);
    for (const ValueId input : node.inputs) text += fmt::format("    from {}\n", value_text(graph, input));
    text += fmt::format("    to {}\n", value_text(graph, node.output));
  }
  return text;
}

}  // namespace trimtab
