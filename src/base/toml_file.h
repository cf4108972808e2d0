#pragma once

#include <filesystem>
#include <string>
#include <string_view>

// the parser is compiled once, in toml_file.cpp
#define TOML_HEADER_ONLY 0
#include <toml++/toml.h>

namespace trimtab {

/// The table of a text in TOML that comes from `source`. Throws Error (bad input) that names the source and the line
/// where the text is no TOML.
[[nodiscard]] toml::table parse_toml(std::string_view text, const std::string& source);

/// The table of a file in TOML of at most 1 MiB. Throws Error (bad input) as parse_toml, and where the file cannot be
/// read.
[[nodiscard]] toml::table read_toml(const std::filesystem::path& path);

}  // namespace trimtab
