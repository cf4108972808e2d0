#pragma once

#include <nlohmann/json.hpp>

#include "study/dispatch.h"

namespace trimtab::cli {

/// What runs the trials of `trimtab fit --search` in a child process, from what the search says of model and data.
[[nodiscard]] TrialFunction make_fit_trials(const nlohmann::json& context, int threads);

}  // namespace trimtab::cli
