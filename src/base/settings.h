#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace trimtab {

/// Throws Error (bad input) that names what differs, unless the settings are equal. `place` is where `stored` was read.
void check_same_settings(const nlohmann::json& stored, const nlohmann::json& wanted, const std::string& place);

}  // namespace trimtab
