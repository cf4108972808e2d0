#include "plan/layers.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "graph/passes.h"

namespace trimtab {
namespace {

template <typename... Operators>
bool is_one_of(const Operator& op) {
  return (std::holds_alternative<Operators>(op) || ...);
}

/// Relu, or Clip from 0 to something positive: what saturation does for nothing.
bool is_saturation(const Operator& op) {
  if (const auto* clip = std::get_if<Clip>(&op)) return clip->low == 0 && clip->high > 0;
  return std::holds_alternative<Relu>(op);
}

bool can_saturate(const Operator& op) {
  if (const auto* pool = std::get_if<Pool>(&op)) return pool->kind == PoolKind::average;
  return is_one_of<Conv, Linear, Add, Mul, Affine, BatchNormalization, GlobalAveragePool>(op);
}

/// The node that alone reads the value, or -1 where there are none or several or the value is the network's output.
std::int64_t only_consumer(const Graph& graph, ValueId value) {
  if (value == graph.output) return -1;
  const std::vector<std::int64_t> readers = graph.consumers(value);
  return readers.size() == 1 ? readers[0] : -1;
}

const Node& node_at(const Graph& graph, std::int64_t index) { return graph.nodes[static_cast<std::size_t>(index)]; }

/// The Affine with the function of a BatchNormalization.
Affine to_affine(const BatchNormalization& norm) {
  Affine affine{norm.scale, norm.bias};
  for (std::size_t c = 0; c < norm.scale.data.size(); ++c) {
    affine.scale.data[c] = norm.scale.data[c] / std::sqrt(norm.variance.data[c] + norm.epsilon);
    affine.offset.data[c] = norm.bias.data[c] - norm.mean.data[c] * affine.scale.data[c];
  }
  return affine;
}

/// Puts an Affine that applies the preprocessing between the network's input and its readers.
void insert_preprocessing(Graph& graph, const Preprocessing& preprocessing) {
  if (preprocessing.mean.empty() && preprocessing.deviation.empty()) return;
  const std::int64_t channels = graph.input_shape()[0];
  Affine affine{{{channels}, {}}, {{channels}, {}}};
  for (std::int64_t c = 0; c < channels; ++c) {
    affine.scale.data.push_back(1.0F / preprocessing.deviation_of(c));
    affine.offset.data.push_back(-preprocessing.mean_of(c) / preprocessing.deviation_of(c));
  }
  const auto processed = static_cast<ValueId>(graph.values.size());
  graph.values.push_back({"preprocessed", graph.input_shape()});
  for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), graph.input, processed);
  graph.nodes.insert(graph.nodes.begin(), Node{"preprocessing", std::move(affine), {graph.input}, processed});
}

void drop_final_softmax(Graph& graph) {
  const std::int64_t last = graph.producer(graph.output);
  if (last < 0 || !std::holds_alternative<Softmax>(node_at(graph, last).op)) return;
  graph.output = node_at(graph, last).inputs[0];
  graph.nodes.erase(graph.nodes.begin() + last);
}

}  // namespace

std::vector<Layer> fuse_layers(const Graph& graph) {
  std::vector<Layer> layers;
  std::set<std::int64_t> taken;
  for (std::int64_t index = 0; index < static_cast<std::int64_t>(graph.nodes.size()); ++index) {
    if (taken.contains(index)) continue;
    const Node& main = node_at(graph, index);
    Layer layer{main.name, index, -1, -1, main.inputs, main.output};
    if (is_one_of<Conv, Linear>(main.op)) {
      const std::int64_t next = only_consumer(graph, layer.output);
      if (next >= 0 && is_one_of<BatchNormalization, Affine>(node_at(graph, next).op)) {
        layer.normalization = next;
        layer.output = node_at(graph, next).output;
      }
    }
    if (can_saturate(main.op)) {
      const std::int64_t next = only_consumer(graph, layer.output);
      if (next >= 0 && is_saturation(node_at(graph, next).op)) {
        layer.activation = next;
        layer.output = node_at(graph, next).output;
      }
    }
    taken.insert({layer.node, layer.normalization, layer.activation});
    layers.push_back(std::move(layer));
  }
  return layers;
}

namespace {

/// BatchNormalizations that no layer keeps become Affines.
void replace_lone_normalizations(Graph& prepared) {
  std::set<std::int64_t> late;
  for (const Layer& layer : fuse_layers(prepared)) late.insert(layer.normalization);
  for (std::size_t index = 0; index < prepared.nodes.size(); ++index) {
    Operator& op = prepared.nodes[index].op;
    const auto* norm = std::get_if<BatchNormalization>(&op);
    if (norm != nullptr && !late.contains(static_cast<std::int64_t>(index))) op = to_affine(*norm);
  }
}

}  // namespace

Graph prepare_for_deployment(const Graph& graph, const Preprocessing& preprocessing, const PassObserver& observe) {
  Graph prepared = graph;
  const auto after = [&](std::string_view pass) {
    if (observe) observe(pass, prepared);
  };
  insert_preprocessing(prepared, preprocessing);
  after("preprocessing-inserted");
  drop_final_softmax(prepared);
  after("final-softmax-dropped");
  replace_lone_normalizations(prepared);
  after("lone-normalizations-replaced");
  prepared = fold_affine_forward(std::move(prepared));
  after("affines-folded");
  prepared = merge_padding(std::move(prepared));
  after("padding-merged");
  prepared = remove_unused(std::move(prepared));
  after("unused-removed");
  return prepared;
}

}  // namespace trimtab
