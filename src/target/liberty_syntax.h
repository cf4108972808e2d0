#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trimtab {

/// A group of a Liberty file: kind (arguments) { attributes and groups }.
struct LibertyGroup {
  std::string kind;
  std::vector<std::string> arguments;
  int line = 0;
  /// Simple attributes (key : value;) and complex ones (key (a, b);), whose arguments are joined by commas. Without
  /// quotes.
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<LibertyGroup> groups;

  [[nodiscard]] std::string name() const { return arguments.empty() ? std::string{} : arguments.front(); }
  /// Null where there is none; of several the last counts.
  [[nodiscard]] const std::string* find(std::string_view key) const;
};

/// The outermost group of the file. Throws Error (bad input), naming the path and the line.
[[nodiscard]] LibertyGroup parse_liberty_syntax(std::string_view text, const std::string& path);

}  // namespace trimtab
