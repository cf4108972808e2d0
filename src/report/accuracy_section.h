#pragma once

#include "report/facts.h"
#include "report/markup.h"

namespace trimtab {

/// Where accuracy is lost: the integers against the float network, layer by layer, the worst first, with advice.
[[nodiscard]] Markup accuracy_section(const Facts& details);

/// The answers: the confusion matrix and the samples that the integers answer worst.
[[nodiscard]] Markup answers_section(const Facts& details);

}  // namespace trimtab
