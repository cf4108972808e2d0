#pragma once

#include "data/dataset.h"
#include "graph/graph.h"

namespace trimtab {

// A prepared graph takes raw samples (pixels 0..255). Learning rates are not made for such inputs. So the graph is
// trained on samples that are divided by a power of two near their size, and the first weights are multiplied by it. No
// bit of its outputs changes.

/// Root of the mean square of raw samples' numbers.
[[nodiscard]] double input_size(const Dataset& data);

/// That power of two; 1 where somebody reads the input without weights.
[[nodiscard]] float input_divisor(const Graph& prepared, const Dataset& data);

/// The same function of inputs that are divided by `divisor`.
[[nodiscard]] Graph for_divided_input(Graph graph, float divisor);

/// The division, for a loader of batches.
[[nodiscard]] Preprocessing division_by(float divisor, const Dataset& data);

}  // namespace trimtab
