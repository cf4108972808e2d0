#pragma once

#include <string>

#include "data/dataset.h"
#include "plan/clean_up.h"

namespace trimtab {

/// The largest difference between the outputs of two networks over the samples, raw or preprocessed as both take them.
/// `threads`: 0 for all cores.
[[nodiscard]] double largest_difference(const Graph& a, const Graph& b, const Dataset& samples, int threads);

/// Cleans up a prepared network that is given such samples (plan/clean_up.h), and says in a line what went and by how
/// much the outputs of a few of them differ; empty where nothing did.
struct CleanNetwork {
  Graph graph;
  std::string report;
};
[[nodiscard]] CleanNetwork clean_network(const Graph& prepared, const Dataset& samples, int threads);

}  // namespace trimtab
