#pragma once

#include <string_view>

#include "report/facts.h"
#include "report/page.h"

namespace trimtab {

/// The report of `trimtab sustain simulate`: the policies side by side, and temperature, frequency and rate over time.
/// `trace`: the content of trace.csv, or empty.
[[nodiscard]] Page simulate_report(const Facts& result, std::string_view trace);

/// The report of `trimtab sustain plan`: the shares of time, and the sprints of a cool board.
[[nodiscard]] Page plan_report(const Facts& result);

/// The report of `trimtab sustain govern`: temperature, frequency and rate over time, and the shares of time.
[[nodiscard]] Page govern_report(const Facts& result);

}  // namespace trimtab
