#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace trimtab {

/// What a command has found out: `json` for machines, with units in the names of its keys, and `text` for people.
struct Result {
  nlohmann::ordered_json json;
  std::string text;
};

/// Writes result.json and summary.txt to the folder.
void write_result(const Result& result, const std::filesystem::path& folder);

}  // namespace trimtab
