#include "base/settings.h"
#include "base/json_text.h"

#include <fmt/format.h>

#include "base/error.h"

namespace trimtab {

void check_same_settings(const nlohmann::json& stored, const nlohmann::json& wanted, const std::string& place) {
  std::string differences;
  const auto text = [](const nlohmann::json& settings, const std::string& key) {
    return settings.is_object() && settings.contains(key) ? json_text(settings.at(key)) : std::string("not set");
  };
  for (const auto& [key, value] : wanted.items()) {
    if (text(stored, key) == json_text(value)) continue;
    differences += fmt::format("{}{} is {} there and {} here", differences.empty() ? "" : ", ", key, text(stored, key),
                               json_text(value));
  }
  if (!differences.empty()) {
    throw bad_input("{} belongs to a run with other settings: {}; choose another place, or remove it", place,
                    differences);
  }
}

}  // namespace trimtab
