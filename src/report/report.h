#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// The report of one finished folder, made of its result.json and of what lies beside it (details.json, trace.csv), as
/// one HTML file that needs nothing else. Throws Error (bad input) where there is no result of a command that has a
/// report.
[[nodiscard]] std::string report_html(const std::filesystem::path& folder);

/// Several folders side by side.
[[nodiscard]] std::string comparison_html(const std::vector<std::filesystem::path>& folders);

/// Writes FOLDER/report.html. Roads call it last for their staged folder, when all other files are there.
void write_report(const std::filesystem::path& folder);

}  // namespace trimtab
