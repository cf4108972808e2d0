#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "graph/device_form.h"
#include "graph/graph.h"

namespace trimtab {

/// A step of the device: an operator with the BatchNormalization or Affine and the activation function that
/// follow it and alone read it. Plans speak of layers, and only a layer's output is quantized.
struct Layer {
  std::string name;                 ///< that of the main node
  std::int64_t node = -1;           ///< the main node: index into Graph::nodes
  std::int64_t normalization = -1;  ///< BatchNormalization or Affine after it (Conv and Linear only), or -1
  std::int64_t activation =
      -1;  ///< Relu or Clip from 0 after it (Conv, Linear, Affine, BatchNormalization, Add, Mul, average pools), or -1
  std::vector<ValueId> inputs;  ///< those of the main node
  ValueId output = -1;          ///< of the last node of the three
};

/// The layers in the order of execution; every node belongs to exactly one. Activation functions with no integer form
/// of their own in a layer (LeakyRelu, HardSwish, ...), and those that cannot be fused, are layers themselves.
[[nodiscard]] std::vector<Layer> fuse_layers(const Graph& graph);

/// Told the name of a pass that has just run and the graph that it left.
using PassObserver = std::function<void(std::string_view pass, const Graph& graph)>;
/// Names the layers that have no form of the kind, each with its operator ("'soft' (Softmax)"); empty where all have.
[[nodiscard]] std::vector<std::string> layers_without(bool FormTraits::*kind, const Graph& prepared);

/// The graph that is deployed: a Softmax at the end dropped, Pads merged, Affines folded forward (padding included),
/// the BatchNormalizations after Conv and Linear kept for late folding. With 8-bit pixels as samples, `preprocessing`
/// becomes part of the first layer and the graph takes raw pixels; for float features pass an empty Preprocessing here:
/// they are preprocessed before they are quantized to the input's grid.
/// `observe`, where given, sees the graph after every pass.
[[nodiscard]] Graph prepare_for_deployment(const Graph& graph, const Preprocessing& preprocessing,
                                           const PassObserver& observe = {});

}  // namespace trimtab
