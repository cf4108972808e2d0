#pragma once

#include <nlohmann/json.hpp>

#include "fit/fit.h"

namespace trimtab {

/// The content of details.json (docs/report.md): what a report shows beside result.json, so that it needs neither the
/// model nor data.
[[nodiscard]] nlohmann::ordered_json details_json(const FitOptions& options, const FitResult& result);

}  // namespace trimtab
