#include "graph/passes.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/index.h"
#include "graph/connections.h"
#include "graph/device_form.h"

namespace trimtab {
namespace {

/// scale * x + offset per channel.
struct ScaleOffset {
  std::vector<double> scale;
  std::vector<double> offset;
};

/// The scale and offset of a BatchNormalization or an Affine; nothing for other operators.
[[nodiscard]] std::optional<ScaleOffset> scale_offset(const Operator& op) {
  if (const auto* affine = std::get_if<Affine>(&op)) {
    const auto& [scale, offset] = *affine;
    return ScaleOffset{{scale.data.begin(), scale.data.end()}, {offset.data.begin(), offset.data.end()}};
  }
  const auto* bn = std::get_if<BatchNormalization>(&op);
  if (bn == nullptr) return std::nullopt;
  ScaleOffset result;
  for (std::size_t c = 0; c < bn->scale.data.size(); ++c) {
    const double scale = bn->scale.data[c] / std::sqrt(static_cast<double>(bn->variance.data[c]) + bn->epsilon);
    result.scale.push_back(scale);
    result.offset.push_back(bn->bias.data[c] - scale * bn->mean.data[c]);
  }
  return result;
}

[[nodiscard]] Tensor to_tensor(const std::vector<double>& numbers) {
  Tensor tensor{{static_cast<std::int64_t>(numbers.size())}, {}};
  for (const double x : numbers) tensor.data.push_back(static_cast<float>(x));
  return tensor;
}

/// Weight and bias of a Conv or Linear; null for other operators.
struct Layer {
  Tensor* weight = nullptr;
  Tensor* bias = nullptr;
  Conv* conv = nullptr;
};

[[nodiscard]] Layer layer_of(Operator& op) {
  if (auto* conv = std::get_if<Conv>(&op)) return {&conv->weight, &conv->bias, conv};
  if (auto* linear = std::get_if<Linear>(&op)) return {&linear->weight, &linear->bias, nullptr};
  return {};
}

[[nodiscard]] bool has_padding(const Conv& conv) { return conv.padding != Padding{}; }

void erase_nodes(Graph& graph, const std::vector<bool>& erased) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (erased[i]) continue;
    if (next != i) graph.nodes[next] = std::move(graph.nodes[i]);
    ++next;
  }
  graph.nodes.resize(next);
}

/// The layer computes scale * y + offset where it computed y.
void fold_behind(const Layer& layer, const ScaleOffset& fold) {
  const std::size_t outputs = fold.scale.size();
  const std::size_t row = layer.weight->data.size() / outputs;
  std::vector<double> bias(layer.bias->data.begin(), layer.bias->data.end());
  bias.resize(outputs, 0.0);
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t i = o * row; i < (o + 1) * row; ++i) {
      layer.weight->data[i] = static_cast<float>(layer.weight->data[i] * fold.scale[o]);
    }
    bias[o] = bias[o] * fold.scale[o] + fold.offset[o];
  }
  *layer.bias = to_tensor(bias);
}

/// The input's value that becomes the padding's value after the fold; nothing where none does.
[[nodiscard]] std::optional<std::vector<double>> padding_before(const Conv& conv, const ScaleOffset& fold) {
  std::vector<double> padding;
  for (std::size_t c = 0; c < fold.scale.size(); ++c) {
    const double after = conv.padding_value.empty() ? 0.0 : conv.padding_value.data[c];
    if (fold.scale[c] != 0) {
      padding.push_back((after - fold.offset[c]) / fold.scale[c]);
    } else if (after == fold.offset[c]) {
      padding.push_back(0);
    } else {
      return std::nullopt;
    }
    if (!std::isfinite(static_cast<float>(padding.back()))) return std::nullopt;
  }
  return padding;
}

/// The layer computes of x what it computed of scale * x + offset, x having the channels of `fold`. The caller sets the
/// padding.
void fold_before(const Layer& layer, const ScaleOffset& fold) {
  const Shape& shape = layer.weight->shape;
  const auto outputs = static_cast<std::size_t>(shape[0]);
  const auto inputs = static_cast<std::size_t>(shape[1]);  // of one group
  const std::size_t window = layer.weight->data.size() / (outputs * inputs);
  const std::size_t groups = fold.scale.size() / inputs;
  std::vector<double> bias(layer.bias->data.begin(), layer.bias->data.end());
  bias.resize(outputs, 0.0);
  for (std::size_t o = 0; o < outputs; ++o) {
    const std::size_t first = o / (outputs / groups) * inputs;
    for (std::size_t i = 0; i < inputs; ++i) {
      for (std::size_t k = 0; k < window; ++k) {
        float& w = layer.weight->data[(o * inputs + i) * window + k];
        bias[o] += w * fold.offset[first + i];
        w = static_cast<float>(w * fold.scale[first + i]);
      }
    }
  }
  *layer.bias = to_tensor(bias);
}

/// `fold` of a value's channels as one of its elements, in order.
[[nodiscard]] ScaleOffset per_element(const ScaleOffset& fold, const Shape& shape) {
  const auto repeat = static_cast<std::size_t>(element_count(shape) / shape[0]);
  ScaleOffset result;
  for (std::size_t c = 0; c < fold.scale.size(); ++c) {
    result.scale.insert(result.scale.end(), repeat, fold.scale[c]);
    result.offset.insert(result.offset.end(), repeat, fold.offset[c]);
  }
  return result;
}

/// Folds the Affine into all that read its output, if they are layers that can take it.
[[nodiscard]] bool fold_into_readers(Graph& graph, Connections& connections, const Node& affine) {
  if (affine.output == graph.output) return false;
  const ScaleOffset fold = *scale_offset(affine.op);
  const std::vector<std::int64_t> readers = connections.consumers(affine.output);
  std::vector<Layer> layers;
  std::vector<std::vector<double>> paddings;
  for (const std::int64_t reader : readers) {
    const Layer layer = layer_of(nth(graph.nodes, reader).op);
    if (layer.weight == nullptr) return false;
    auto padding =
        layer.conv != nullptr && has_padding(*layer.conv) ? padding_before(*layer.conv, fold) : std::vector<double>();
    if (!padding.has_value()) return false;
    layers.push_back(layer);
    paddings.push_back(*padding);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    fold_before(layers[i], fold);
    if (layers[i].conv == nullptr) continue;
    const bool zeros = std::all_of(paddings[i].begin(), paddings[i].end(), [](double x) { return x == 0; });
    layers[i].conv->padding_value = zeros ? Tensor{} : to_tensor(paddings[i]);
  }
  for (const std::int64_t reader : readers) {
    auto& inputs = nth(graph.nodes, reader).inputs;
    std::replace(inputs.begin(), inputs.end(), affine.output, affine.inputs[0]);
    connections.redirect(reader, affine.output, affine.inputs[0]);
  }
  return !readers.empty();
}

/// Folds the Affine into the Linear behind a Reshape, if that is what follows it.
[[nodiscard]] bool fold_through_reshape(Graph& graph, Connections& connections, const Node& affine) {
  const std::int64_t reader = connections.only_consumer(affine.output);
  if (reader < 0) return false;
  Node& reshape = nth(graph.nodes, reader);
  if (!std::holds_alternative<Reshape>(reshape.op)) return false;
  const std::int64_t next = connections.only_consumer(reshape.output);
  if (next < 0) return false;
  Node& linear = nth(graph.nodes, next);
  if (!std::holds_alternative<Linear>(linear.op)) return false;
  fold_before(layer_of(linear.op), per_element(*scale_offset(affine.op), graph.shape_of(affine.output)));
  reshape.inputs[0] = affine.inputs[0];
  connections.redirect(reader, affine.output, affine.inputs[0]);
  return true;
}

[[nodiscard]] Padding operator+(const Padding& a, const Padding& b) {
  return {a.top + b.top, a.left + b.left, a.bottom + b.bottom, a.right + b.right};
}

[[nodiscard]] bool merge_into(Conv& conv, const Pad& pad, std::int64_t channels) {
  if (has_padding(conv)) {
    const bool same = conv.padding_value.empty()
                          ? pad.value == 0
                          : std::all_of(conv.padding_value.data.begin(), conv.padding_value.data.end(),
                                        [&](float x) { return x == pad.value; });
    if (!same) return false;
  }
  conv.padding = conv.padding + pad.padding;
  if (pad.value != 0) {
    conv.padding_value = {{channels}, std::vector<float>(static_cast<std::size_t>(channels), pad.value)};
  } else {
    conv.padding_value = {};
  }
  return true;
}

[[nodiscard]] bool merge_into(Pool& pool, const Pad& pad) {
  const bool counts = pool.count_include_pad || pool.padding == Padding{};
  if (pool.kind != PoolKind::average || !counts || pad.value != 0 || pool.ceil_mode) return false;
  const Padding merged = pool.padding + pad.padding;
  if (std::max(merged.top, merged.bottom) >= pool.kernel[0] || std::max(merged.left, merged.right) >= pool.kernel[1]) {
    return false;
  }
  pool.padding = merged;
  pool.count_include_pad = true;
  return true;
}

}  // namespace

Graph fold_batch_normalization(Graph graph) {
  const Connections connections(graph);
  std::vector<std::int64_t> makers(graph.values.size(), -1);  // by value, of the nodes that stay
  std::vector<bool> erased(graph.nodes.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    nth(makers, node.output) = static_cast<std::int64_t>(i);
    const auto fold = scale_offset(node.op);
    if (!fold.has_value()) continue;
    const std::int64_t made_by = nth(makers, node.inputs[0]);
    if (made_by >= 0 && connections.only_consumer(node.inputs[0]) == static_cast<std::int64_t>(i)) {
      Node& maker = nth(graph.nodes, made_by);
      if (const Layer layer = layer_of(maker.op); layer.weight != nullptr) {
        fold_behind(layer, *fold);
        maker.output = node.output;
        nth(makers, node.output) = made_by;
        node.inputs.clear();
        erased[i] = true;
        continue;
      }
    }
    node.op = Affine{to_tensor(fold->scale), to_tensor(fold->offset)};
  }
  erase_nodes(graph, erased);
  return remove_unused(std::move(graph));
}

Graph merge_padding(Graph graph) {
  const Connections connections(graph);
  for (Node& node : graph.nodes) {
    if (node.inputs.empty()) continue;
    const std::int64_t made_by = connections.producer(node.inputs[0]);
    if (made_by < 0 || connections.only_consumer(node.inputs[0]) < 0) continue;
    const Node& maker = nth(graph.nodes, made_by);
    const auto* pad = std::get_if<Pad>(&maker.op);
    if (pad == nullptr) continue;
    auto* conv = std::get_if<Conv>(&node.op);
    auto* pool = std::get_if<Pool>(&node.op);
    const bool merged = (conv != nullptr && merge_into(*conv, *pad, graph.shape_of(maker.output)[0])) ||
                        (pool != nullptr && merge_into(*pool, *pad));
    if (merged) node.inputs[0] = maker.inputs[0];
  }
  return remove_unused(std::move(graph));
}

Graph fold_affine_forward(Graph graph) {
  Connections connections(graph);
  // From the last node to the first, so that a chain of Affines folds one after the other.
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const Node node = graph.nodes[i];
    if (!std::holds_alternative<Affine>(node.op)) continue;
    if (fold_into_readers(graph, connections, node) || fold_through_reshape(graph, connections, node)) continue;
  }
  return remove_unused(std::move(graph));
}

Graph remove_unused(Graph graph) {
  std::vector<bool> read(graph.values.size(), false);
  nth(read, graph.output) = true;
  std::vector<bool> erased(graph.nodes.size(), false);
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    erased[i] = !nth(read, node.output);
    if (erased[i]) continue;
    for (const ValueId input : node.inputs) nth(read, input) = true;
  }
  erase_nodes(graph, erased);
  nth(read, graph.input) = true;

  std::vector<ValueId> renumbered(graph.values.size(), -1);
  std::vector<Value> values;
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (!read[i]) continue;
    renumbered[i] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[i]));
  }
  graph.values = std::move(values);
  const auto renumber = [&](ValueId& value) { value = nth(renumbered, value); };
  renumber(graph.input);
  renumber(graph.output);
  for (Node& node : graph.nodes) {
    std::for_each(node.inputs.begin(), node.inputs.end(), renumber);
    renumber(node.output);
  }
  return graph;
}

Graph merge_reshapes(Graph graph) {
  const auto is_function = [](const Operator& op) {
    const DeviceForm form = device_form(op);
    return form == DeviceForm::saturation || form == DeviceForm::table;
  };
  const Connections connections(graph);  // swaps of operators change nothing in them
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (std::size_t at = i; is_function(graph.nodes[at].op);) {
      const ValueId input = graph.nodes[at].inputs.at(0);
      if (graph.shape_of(input).size() <= 3) break;
      const std::int64_t maker = connections.producer(input);
      if (maker < 0 || connections.only_consumer(input) < 0) break;
      Node& before = nth(graph.nodes, maker);
      if (!std::holds_alternative<Reshape>(before.op)) break;
      Node& function = graph.nodes[at];
      std::swap(before.op, function.op);
      std::swap(before.name, function.name);
      Value& between = nth(graph.values, input);
      between.shape = graph.shape_of(before.inputs.at(0));
      between.grid = nth(graph.values, function.output).grid;
      at = static_cast<std::size_t>(maker);
    }
  }
  // Neither minds the shape of the elements that it reads in order.
  for (Node& node : graph.nodes) {
    if (!std::holds_alternative<Reshape>(node.op) && !std::holds_alternative<Permute>(node.op)) continue;
    if (graph.shape_of(node.inputs.at(0)).size() <= 3) continue;
    const std::int64_t maker = connections.producer(node.inputs[0]);
    if (maker >= 0 && std::holds_alternative<Reshape>(nth(graph.nodes, maker).op))
      node.inputs[0] = nth(graph.nodes, maker).inputs.at(0);
  }
  return remove_unused(std::move(graph));
}

}  // namespace trimtab
