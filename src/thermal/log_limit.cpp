#include "thermal/log_limit.h"

#include <fmt/format.h>

namespace trimtab::thermal {

std::optional<std::string> LogLimit::pass(double now_s, const std::string& message) {
  std::string key;
  for (const char c : message) {
    if ((c < '0' || c > '9') && c != '.' && c != '-') key += c;
  }
  const auto [found, first] = kinds_.try_emplace(key);
  Kind& kind = found->second;
  if (!first && now_s - kind.last_s < quiet_s) {
    ++kind.held_back;
    return std::nullopt;
  }
  std::string line = message;
  if (kind.held_back > 0) line += fmt::format(" ({} more of this kind since the last line)", kind.held_back);
  kind = {now_s, 0};
  return line;
}

}  // namespace trimtab::thermal
