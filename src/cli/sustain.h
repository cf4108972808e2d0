#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/common.h"

namespace trimtab::cli {

// One function per subcommand of `trimtab sustain`, each in sustain_NAME.cpp.
void add_sustain_doctor(CLI::App& sustain);
void add_sustain_profile(CLI::App& sustain);
void add_sustain_identify(CLI::App& sustain);
void add_sustain_simulate(CLI::App& sustain);
void add_sustain_plan(CLI::App& sustain);
void add_sustain_govern(CLI::App& sustain);

/// Prints `result` as JSON, or `text` for people; writes result.json to `out` where that is not empty.
void print_result(const nlohmann::ordered_json& result, const std::string& text, bool json,
                  const std::string& out = "");

}  // namespace trimtab::cli
