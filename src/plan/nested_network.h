#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/layers.h"
#include "plan/quantized_network.h"

namespace trimtab {

/// Weights stored once for all precisions: integers q of `stored_weight_bits`, signed, of which a precision of b bits
/// uses the most significant b.
///   nested (mid-rise): weight = (2 * (q >> (8 - b)) + 1) * scale * 2^(7 - b). Dropping bits IS the coarser quantizer.
///   twos_complement:   weight = (q >> (8 - b)) * scale * 2^(8 - b), for comparison only: dropping bits rounds down.
struct StoredWeights {
  enum class Grid { nested, twos_complement };
  Grid grid = Grid::nested;
  std::vector<std::int8_t> digits;  ///< q, in the order of the weight tensor
  std::vector<float> scale;         ///< per output channel, greater than 0

  /// The real weight at `bits` bits.
  [[nodiscard]] float weight(std::size_t index, int bits) const;
};

inline constexpr int stored_weight_bits = 8;
/// Of activations, and the most that an operating point can give them.
inline constexpr int stored_activation_bits = 8;

/// The weight of a stored digit at `bits` bits of the nested grid, in units of the scale.
[[nodiscard]] float nested_level(int digit, int bits);

/// The grid of a value at 8 bits, and how its scale grows where it has fewer: by a power of two, so that operating
/// points differ in shifts only.
struct NestedActivationGrid {
  ActivationGrid grid;                                     ///< with all bits (8; the input's and output's own)
  std::array<int, 9> exponent{6, 6, 6, 5, 4, 3, 2, 1, 0};  ///< by bits: scale = grid.scale * 2^exponent

  [[nodiscard]] ActivationGrid at(int bits) const;
};

/// Bits of a layer at an operating point.
struct Precision {
  int weights = stored_weight_bits;          ///< 2..8; meaningless where the layer has none
  int activations = stored_activation_bits;  ///< of its output: 2..8; those of the network's output stay as they are
  bool operator==(const Precision&) const = default;
};

/// A network whose precision is chosen at run time. `graph` is prepared and folded (plan/quantized_network.h) and keeps
/// its real weights and biases.
struct NestedNetwork {
  Graph graph;
  std::vector<std::optional<NestedActivationGrid>>
      values;                                         ///< by ValueId: of the graph's input and of every layer's output
  std::vector<std::optional<StoredWeights>> weights;  ///< by index into graph.nodes: of every Conv and Linear
  /// Where it was trained on the grids: the precision whose channel means are those of training, biases as they are.
  /// Otherwise the float network's means are the right ones.
  std::optional<Precision> reference;
};

/// A setting of the run-time knobs: bits by layer (in the order of fuse_layers), and real biases by node, corrected for
/// these bits (empty where the node has none).
struct OperatingPoint {
  std::vector<Precision> precision;
  std::vector<std::vector<float>> bias;
};

/// The network that an operating point computes, as a network of its own: weights are odd integers of bits + 1 bits.
[[nodiscard]] QuantizedNetwork at_point(const NestedNetwork& network, const OperatingPoint& point);

/// Layers whose outputs have the same number of activation bits at every operating point, because they share a grid or
/// are added: by layer, the number of its group, 0, 1, ...; -1 where the bits cannot be chosen (what shares the grid of
/// the network's input or output).
[[nodiscard]] std::vector<int> activation_groups(const Graph& graph, const std::vector<Layer>& layers);

/// Names the layers that have no scalable form, each with its operator; empty where all have.
[[nodiscard]] std::vector<std::string> layers_without_nested_form(const Graph& prepared);
/// Throws Error (bad input) that names them, if there are any.
void check_nested(const Graph& prepared);

}  // namespace trimtab
