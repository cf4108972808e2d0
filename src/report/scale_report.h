#pragma once

#include "report/facts.h"
#include "report/page.h"

namespace trimtab {

/// The report of a folder of `trimtab scale`: the savings at every level, accuracy over energy with its intervals, bits
/// by layer and point, and what the program takes on its device, if it has one. `details` and `validation`
/// (validation.json) may be null.
[[nodiscard]] Page scale_report(const Facts& result, const Facts& details, const Facts& validation);

}  // namespace trimtab
