#include "report/facts.h"

#include <cmath>
#include <limits>

namespace trimtab {
namespace {

std::optional<double> number_of(const Facts& value) {
  if (!value.is_number()) return std::nullopt;
  const auto number = value.get<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

}  // namespace

const Facts& fact(const Facts& facts, const std::string& key) {
  static const Facts nothing;
  if (!facts.is_object()) return nothing;
  const auto found = facts.find(key);
  return found == facts.end() ? nothing : *found;
}

std::optional<double> number(const Facts& facts, const std::string& key) { return number_of(fact(facts, key)); }

double number_or(const Facts& facts, const std::string& key, double otherwise) {
  return number(facts, key).value_or(otherwise);
}

std::optional<std::int64_t> whole(const Facts& facts, const std::string& key) {
  const std::optional<double> value = number(facts, key);
  if (!value || std::abs(*value) > 9e15) return std::nullopt;
  return static_cast<std::int64_t>(std::llround(*value));
}

int bit_width(const Facts& facts, const std::string& key) {
  const std::int64_t bits = whole(facts, key).value_or(0);
  return bits >= 1 && bits <= 64 ? static_cast<int>(bits) : 0;
}

std::string words(const Facts& facts, const std::string& key) {
  const Facts& value = fact(facts, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

const Facts& list(const Facts& facts, const std::string& key) {
  static const Facts nothing = Facts::array();
  const Facts& value = fact(facts, key);
  return value.is_array() ? value : nothing;
}

std::vector<double> numbers(const Facts& facts, const std::string& key) {
  std::vector<double> values;
  for (const Facts& value : list(facts, key))
    values.push_back(number_of(value).value_or(std::numeric_limits<double>::quiet_NaN()));
  return values;
}

}  // namespace trimtab
