#pragma once

#include "report/facts.h"
#include "report/page.h"

namespace trimtab {

/// The report of a folder of `trimtab fit`: the answer against its bounds, the network, memory, flash, where accuracy
/// is lost, the answers, the search, and the command. `details` and `validation` (validation.json) may
/// be null.
[[nodiscard]] Page fit_report(const Facts& result, const Facts& details, const Facts& validation);

}  // namespace trimtab
