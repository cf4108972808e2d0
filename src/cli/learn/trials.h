#pragma once

#include <nlohmann/json.hpp>

#include "study/dispatch.h"

namespace trimtab::cli {

/// Makes the function that runs the trials of `trimtab fit --search` in a child process. `context` names model and
/// data.
[[nodiscard]] TrialFunction make_fit_trials(const nlohmann::json& context, int threads);

/// The same for the trials of `trimtab assess`.
[[nodiscard]] TrialFunction make_assess_trials(const nlohmann::json& context, int threads);

}  // namespace trimtab::cli
