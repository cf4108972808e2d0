#pragma once

#include <string>

#include "graph/graph.h"

namespace trimtab {

/// "min .. max" of a tensor's numbers, or "none" where it has none.
[[nodiscard]] std::string range_text(const Tensor& tensor);

/// The settings of an operator: sizes, strides, padding and the ranges of its parameters; empty where it has no
/// settings.
[[nodiscard]] std::string settings_text(const Operator& op);

/// One line per node: its name, operator, settings, inputs and output with their shapes. For people who look for the
/// pass that went wrong; no program reads it.
[[nodiscard]] std::string to_text(const Graph& graph);

}  // namespace trimtab
