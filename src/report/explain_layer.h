#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace trimtab {

/// All that a finished folder of `fit` knows of one layer: its form, kernel and cost, its share of what accuracy is
/// lost, and what would help. An empty name means the layer that loses most. Throws Error (bad input), naming the
/// layers, where there is none of that name, and where the folder has no details.json.
[[nodiscard]] Result explain_layer(const std::filesystem::path& folder, const std::string& name);

}  // namespace trimtab
