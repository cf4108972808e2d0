#pragma once

#include <vector>

#include "report/folder.h"
#include "report/page.h"

namespace trimtab {

/// Several finished folders side by side: a row for each with what their results have in common, and the quality over
/// flash, RAM and time of those that have both.
[[nodiscard]] Page comparison_report(const std::vector<FinishedFolder>& folders);

}  // namespace trimtab
