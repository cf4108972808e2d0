#pragma once

#include "base/result.h"
#include "thermal/sysfs.h"

namespace trimtab::thermal {

/// Lists what the board offers and the findings of examine_board().
[[nodiscard]] Result describe(const BoardView& board);

}  // namespace trimtab::thermal
