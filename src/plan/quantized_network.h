#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "plan/layers.h"
#include "plan/plan.h"

namespace trimtab {

/// Uniform grid of a value: real = scale * (integer - zero_point), integer in [minimum(), maximum()].
struct ActivationGrid {
  float scale = 1;
  int bits = 8;
  bool is_signed = false;
  std::int32_t zero_point = 0;  ///< in [minimum(), maximum()]; 0 for more than 8 bits

  [[nodiscard]] std::int32_t minimum() const { return is_signed ? -(1 << (bits - 1)) : 0; }
  [[nodiscard]] std::int32_t maximum() const { return is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1; }
  /// The ends in steps from zero: real = scale * step.
  [[nodiscard]] std::int32_t lowest_step() const { return minimum() - zero_point; }
  [[nodiscard]] std::int32_t highest_step() const { return maximum() - zero_point; }
  bool operator==(const ActivationGrid&) const = default;
};

/// Whether the zero point is one that a grid of these bits may have.
[[nodiscard]] inline bool has_zero(const ActivationGrid& grid) {
  return grid.zero_point == 0 ||
         (grid.bits <= 8 && grid.minimum() <= grid.zero_point && grid.zero_point <= grid.maximum());
}

/// Whether the integers have the same bits and sign.
[[nodiscard]] inline bool same_format(const ActivationGrid& a, const ActivationGrid& b) {
  return a.bits == b.bits && a.is_signed == b.is_signed;
}

/// The largest absolute value of the grid's integers.
[[nodiscard]] inline std::int64_t largest_magnitude(const ActivationGrid& grid) {
  return std::max<std::int64_t>(grid.maximum(), -std::int64_t{grid.minimum()});
}

/// The largest distance from zero, in steps.
[[nodiscard]] inline std::int64_t largest_step(const ActivationGrid& grid) {
  return std::max<std::int64_t>(grid.highest_step(), -std::int64_t{grid.lowest_step()});
}

/// Grid of a layer's weights: real = scale[output channel] * integer, integer in [-2^(bits-1), 2^(bits-1) - 1].
struct WeightGrid {
  int bits = 8;
  std::vector<float> scale;  ///< per output channel; not zero, negative where a folded normalization flips the sign
};

/// The effect of zero points on the grids that calibration chose.
struct ZeroPointGain {
  int grids = 0;        ///< that have one
  double decibels = 0;  ///< by which the mean squared error of their values fell, as a mean over these grids
};

/// A network whose numbers have settled: what training or calibration hands to lowering. `graph` is a prepared graph
/// (plan/layers.h) in which every BatchNormalization and Affine after a Conv or Linear is folded; weights are integers
/// times the scale of their grid; biases are real numbers (lowering rounds them to the accumulator's scale).
struct QuantizedNetwork {
  Graph graph;
  Plan plan;  ///< in the order of fuse_layers(graph)
  /// By ValueId: of the graph's input and of every layer's output. A vector of several inputs or outputs has only bits
  /// and sign; the grids are its parts'.
  std::vector<std::optional<ActivationGrid>> values;
  std::vector<std::optional<WeightGrid>> weights;  ///< by index into graph.nodes: of every Conv and Linear
  ZeroPointGain zero_points{};                     ///< of the calibration that made it; not kept in files
};

/// The grid's integer nearest to a real number, halves upward (as the runtime's requantization rounds), saturated.
[[nodiscard]] std::int32_t quantize(float real, const ActivationGrid& grid);

/// The real number that an integer of the grid stands for.
[[nodiscard]] inline float dequantize(std::int32_t integer, const ActivationGrid& grid) {
  return grid.scale * static_cast<float>(integer - grid.zero_point);
}

/// Where a layer's own activation function saturates its output, in real numbers.
struct Saturation {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
[[nodiscard]] Saturation saturation_of(const Graph& graph, const Layer& layer);

/// The same as integers of the output's grid: the least and the greatest that the layer makes.
struct IntegerRange {
  std::int32_t low;
  std::int32_t high;
};
[[nodiscard]] IntegerRange integer_range(const Saturation& saturation, const ActivationGrid& grid);

/// Values that share one grid: the inputs of a Concat with its output; the input and output of max pools and reshapes.
/// Several inputs or outputs that are joined in a vector keep grids of their own. Returns, by ValueId, the id of the
/// value that stands for its set.
[[nodiscard]] std::vector<ValueId> shared_grids(const Graph& graph);

/// By element of the output, in its order: the grid. Of several outputs each has its own.
[[nodiscard]] std::vector<ActivationGrid> output_grids(const QuantizedNetwork& network);

}  // namespace trimtab
