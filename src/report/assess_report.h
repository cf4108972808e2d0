#pragma once

#include "report/facts.h"
#include "report/page.h"

namespace trimtab {

/// The report of a folder of `trimtab assess`: the optimum of every budget, the map of quality over memory (map.json),
/// and what restricted bits lose. `map` may be null.
[[nodiscard]] Page assess_report(const Facts& result, const Facts& map);

}  // namespace trimtab
