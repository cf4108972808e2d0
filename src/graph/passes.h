#pragma once

#include "graph/graph.h"

namespace trimtab {

/// Folds every BatchNormalization and Affine that follows a Conv or Linear (and has no other reader of its input) into
/// its weights and bias, and turns every remaining BatchNormalization into an Affine. The function of the graph stays
/// the same.
[[nodiscard]] Graph fold_batch_normalization(Graph graph);

/// Merges a Pad with value 0 into the Conv, or into the average pool that counts padding, that alone reads it.
[[nodiscard]] Graph merge_padding(Graph graph);

/// Folds an Affine that alone reads the graph's input, or stands anywhere in front of a Conv or Linear that alone reads
/// it, into that layer's weights, bias and padding_value. The function of the graph stays the same.
[[nodiscard]] Graph fold_affine_forward(Graph graph);

/// Removes operators that give back what they read, and merges those that do the same to the same values. Where a
/// network was quantized before, the grids of what they make are the same as well.
[[nodiscard]] Graph merge_equal(Graph graph);

/// Removes nodes whose output nobody reads, and values that nobody makes or reads.
[[nodiscard]] Graph remove_unused(Graph graph);

/// Does without values of more dimensions than an image, which no device takes, where a Reshape makes them: functions
/// of one number that alone read it go in front of it, and a Reshape or Transpose reads what it reads.
[[nodiscard]] Graph merge_reshapes(Graph graph);

}  // namespace trimtab
