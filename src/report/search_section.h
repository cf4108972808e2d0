#pragma once

#include "report/facts.h"
#include "report/markup.h"

namespace trimtab {

/// The search for a plan: all trials, the front, the finalists, and why the plan was taken.
[[nodiscard]] Markup search_section(const Facts& result, const Facts& details);

}  // namespace trimtab
