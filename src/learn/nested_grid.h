#pragma once

#include <span>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "learn/quantize.h"
#include "plan/nested_network.h"

namespace trimtab {

/// How the scale of a nested grid is chosen.
enum class NestedRange {
  whole,    ///< nothing saturates
  balanced  ///< least product of the mean squared errors at 8, 6, 5 and 4 bits: where one precision gains by
            ///< saturating, others must not lose in a higher proportion
};

/// Scale s > 0 of the nested mid-rise grid for the weights of one output channel: 8 bits span [-128 s, 128 s].
[[nodiscard]] float nested_scale(std::span<const float> weights, NestedRange range);

/// floor(weight / scale), saturated to 8 bits signed: the cell of the grid in which the weight lies.
[[nodiscard]] std::int8_t quantize_nested(float weight, float scale);

/// Stores the weights {output channels, ...} of a Conv or Linear.
[[nodiscard]] StoredWeights store_weights(const Tensor& weight, NestedRange range);
/// The same in two's complement (8 bits, least squared error), for comparison.
[[nodiscard]] StoredWeights store_weights_twos_complement(const Tensor& weight);

/// A nested network from a trained one, without training. The grids of activations come from the float network on raw
/// samples of `calibration`. Weights are stored on the nested grid. `prepared` comes from prepare_for_deployment.
/// Throws Error as quantize_post_training does, and (bad input) naming layers that have no nested form.
[[nodiscard]] NestedNetwork make_nested(const Graph& prepared, const Dataset& calibration,
                                        const CalibrationOptions& options,
                                        StoredWeights::Grid grid = StoredWeights::Grid::nested,
                                        NestedRange range = NestedRange::balanced);

}  // namespace trimtab
