#pragma once

#include <vector>

#include "report/facts.h"
#include "report/markup.h"
#include "report/widgets.h"

namespace trimtab {

// What there is to say of a program on its target, whether it has one operating point or several. `details` and
// `result` are details.json and result.json (docs/report.md). A section whose facts are missing is empty.

/// The cards of flash, RAM, latency, energy, instructions and verification, as far as they are known, against their
/// bounds.
[[nodiscard]] std::vector<Card> cost_cards(const Facts& result);
/// Whether everything that is bounded keeps within its bound.
[[nodiscard]] bool is_within_bounds(const Facts& result);

/// The network as a graph beside the table of its layers: bits, filters, kernel and why, instructions, time, flash.
[[nodiscard]] Markup network_section(const Facts& details);
/// Time and energy at every clock of the target, or why the energy is not known.
[[nodiscard]] Markup clocks_section(const Facts& result);
/// The working memory over time, and the step that decides its size.
[[nodiscard]] Markup memory_section(const Facts& details);
/// Flash by section of the image and by layer; time by layer.
[[nodiscard]] Markup flash_section(const Facts& result, const Facts& details);

}  // namespace trimtab
