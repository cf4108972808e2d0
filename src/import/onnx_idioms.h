#pragma once

#include "graph/graph.h"

namespace trimtab::onnx_reader {

/// Puts together again what exporters take apart: arithmetics with constants in a row become one Affine, additions
/// behind a Conv or Linear its bias, clips in a row one Clip, and HardSigmoid and HardSwish come back from their
/// definitions. The function of the graph stays the same.
[[nodiscard]] Graph recognize_idioms(Graph graph);

/// Makes one ScalarFunction of all that is a function of the same numbers and needs a table anyway: x * sigmoid(x), the
/// parts of a Gelu, a constant factor behind a tanh. The function of the graph stays the same.
[[nodiscard]] Graph fuse_functions(Graph graph);

}  // namespace trimtab::onnx_reader
