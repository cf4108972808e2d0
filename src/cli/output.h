#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/json_text.h"
#include "base/text.h"

namespace trimtab::cli {

/// Text for people on standard output. What comes from outside in it, as names of files, layers and classes, does not
/// command a terminal.
template <typename... Arguments>
void print_text(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  const std::string text = printable(fmt::format(format, std::forward<Arguments>(arguments)...), true);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

/// JSON for machines on standard output.
template <typename Json>
void print_json(const Json& json) {
  const std::string text = json_text(json, 2) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace trimtab::cli
