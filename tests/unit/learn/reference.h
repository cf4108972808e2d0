#pragma once

#include <vector>

#include "graph/graph.h"

namespace trimtab::test {

/// Runs one sample through a graph with plain loops in double precision, straight from ONNX's definitions of the
/// operators: slow, and written without a look at the executor.
[[nodiscard]] std::vector<double> run_reference(const Graph& graph, const std::vector<float>& input);

}  // namespace trimtab::test
