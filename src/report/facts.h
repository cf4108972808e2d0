#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace trimtab {

// A finished folder may come from anywhere. A report shows what it finds there and leaves out the rest: these functions
// never throw, whatever the JSON holds.

using Facts = nlohmann::ordered_json;

/// The member of an object; null where there is none, or no object.
[[nodiscard]] const Facts& fact(const Facts& facts, const std::string& key);
/// The finite number of that name.
[[nodiscard]] std::optional<double> number(const Facts& facts, const std::string& key);
/// The same, or `otherwise`.
[[nodiscard]] double number_or(const Facts& facts, const std::string& key, double otherwise);
/// A whole number within what 64 bits hold.
[[nodiscard]] std::optional<std::int64_t> whole(const Facts& facts, const std::string& key);
/// A number of bits, 1 to 64; 0 where there is none.
[[nodiscard]] int bit_width(const Facts& facts, const std::string& key);
/// The text of that name, or an empty one.
[[nodiscard]] std::string words(const Facts& facts, const std::string& key);
/// The elements of the list of that name; none where it is no list.
[[nodiscard]] const Facts& list(const Facts& facts, const std::string& key);
/// The numbers of the list of that name; an element that is none is not a number.
[[nodiscard]] std::vector<double> numbers(const Facts& facts, const std::string& key);

}  // namespace trimtab
