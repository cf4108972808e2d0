#pragma once

#include <optional>

#include "report/facts.h"
#include "report/markup.h"
#include "report/widgets.h"

namespace trimtab {

// What `trimtab validate` found on a real board. `validation` is validation.json (docs/validate.md), null where the
// folder was never validated.

/// Whether the board computed other numbers than the host.
[[nodiscard]] bool board_differs(const Facts& validation);
/// The card of the samples that ran on the board.
[[nodiscard]] std::optional<Card> board_card(const Facts& validation);
/// The board's answers, and its cycles beside the estimate of them, in total and by layer. `result` is result.json.
[[nodiscard]] Markup validation_section(const Facts& result, const Facts& validation);

}  // namespace trimtab
