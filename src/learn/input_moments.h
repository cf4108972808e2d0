#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"

namespace trimtab {

/// Second moments of the inputs that meet the weights of a Conv or Linear, by group of channels.
struct InputMoments {
  std::int64_t groups = 1;
  std::int64_t size = 0;       ///< inputs of one output of the group, in the order of the weight tensor
  std::vector<float> moments;  ///< {groups, size, size}, centred
};

/// Runs the float network on raw samples and measures the centred second moments (covariances) of the inputs of every
/// Conv and Linear with at most `most_inputs` inputs per output, by index into graph.nodes; others stay empty. Images
/// contribute at most `positions` output positions of each sample, chosen at random.
[[nodiscard]] std::vector<InputMoments> input_moments(const Graph& graph, const Dataset& samples,
                                                      std::int64_t most_inputs, std::int64_t positions);

}  // namespace trimtab
