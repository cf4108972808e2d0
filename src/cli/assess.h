#pragma once

#include <nlohmann/json.hpp>

#include "study/dispatch.h"

namespace trimtab::cli {

/// The function of the trials of `trimtab assess`: loads model and data as `context` says.
[[nodiscard]] TrialFunction make_assess_trials(const nlohmann::json& context, int threads);

}  // namespace trimtab::cli
