#pragma once

#include "report/facts.h"
#include "report/page.h"

namespace trimtab {

/// The report of a folder of `trimtab characterize`: the energy of a multiply-accumulate by its bits, and what takes
/// it.
[[nodiscard]] Page characterize_report(const Facts& result);

}  // namespace trimtab
