#pragma once

#include "report/facts.h"
#include "report/markup.h"

namespace trimtab {

/// What less and more RAM cost in time: the points of `--frontier`, and this program among them.
[[nodiscard]] Markup frontier_section(const Facts& result);

}  // namespace trimtab
