#pragma once

#include <string>

namespace trimtab {

/// The text of a JSON value, over several lines where `indent` is not negative. The only way to write JSON: a text from
/// outside, such as the name of a file, need not be UTF-8, which JSON's own function refuses. Bytes that are none
/// become the replacement character.
template <typename Json>
[[nodiscard]] std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace trimtab
