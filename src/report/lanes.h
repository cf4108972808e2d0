#pragma once

#include <string>
#include <vector>

#include "report/markup.h"

namespace trimtab {

/// The connections of a network, drawn beside a table whose rows are its layers in the order of execution: every row
/// has a dot, a line to the next row where that reads it, and a lane beside the dots for what is read further below.
/// `inputs`: by row, the rows above that it reads. Returns the content of a cell for every row.
[[nodiscard]] std::vector<Markup> network_lanes(const std::vector<std::vector<std::size_t>>& inputs);

}  // namespace trimtab
