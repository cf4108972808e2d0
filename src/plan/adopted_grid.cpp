#include "plan/adopted_grid.h"

#include <cstdlib>

#include "base/index.h"

namespace trimtab {

std::optional<std::int32_t> stored_zero(const Graph& graph, ValueId value, const ActivationGrid& grid) {
  const std::optional<SourceGrid>& source = nth(graph.values, value).grid;
  if (!source || source->bits != grid.bits || source->scale != grid.scale) return std::nullopt;
  const std::int32_t zero = grid.zero_point - source->zero_point;
  const bool same_numbers = zero == 0 ? source->is_signed == grid.is_signed : std::abs(zero) == 1 << (grid.bits - 1);
  return same_numbers ? std::optional(zero) : std::nullopt;
}

}  // namespace trimtab
