#pragma once

#include <cstdint>
#include <vector>

#include "plan/channel_groups.h"

namespace trimtab {

/// The graph without the units for which `keep` (by UnitId) is false: filters, the weights that read them, and all that
/// belongs to them in between are gone; names stay. Every output is what it was, up to rounding, if the weights that
/// read the removed channels were zero. `groups` are the graph's own. Throws Error (bad input) where a group would lose
/// all its units, or a unit is removed that has to stay.
[[nodiscard]] Graph prune(const Graph& graph, const ChannelGroups& groups, const std::vector<bool>& keep);

/// The units to keep such that `kept` (by group) stay of each: the most important ones (`importance` by UnitId; of
/// equal ones the first).
[[nodiscard]] std::vector<bool> most_important(const ChannelGroups& groups, const std::vector<double>& importance,
                                               const std::vector<std::int64_t>& kept);

/// `filters` rounded to a multiple that the kernels run without a remainder, down but to no less than one multiple and
/// no more than `most`.
[[nodiscard]] std::int64_t round_filters(double filters, std::int64_t multiple, std::int64_t most);

}  // namespace trimtab
