#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace trimtab {

/// The result of a command: `json` for machines, with units in the names of its keys, and `text` for people.
struct Result {
  nlohmann::ordered_json json;
  std::string text;
};

/// Writes result.json and summary.txt to the folder.
void write_result(const Result& result, const std::filesystem::path& folder);

}  // namespace trimtab
