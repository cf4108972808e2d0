#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>

#include "cli/common.h"

namespace trimtab::cli {

// One function per subcommand of `trimtab sustain`, each in sustain_NAME.cpp.
void add_sustain_doctor(CLI::App& sustain);
void add_sustain_profile(CLI::App& sustain);
void add_sustain_identify(CLI::App& sustain);
void add_sustain_simulate(CLI::App& sustain);
void add_sustain_plan(CLI::App& sustain);
void add_sustain_govern(CLI::App& sustain);

/// Prints the result, and writes summary.txt and result.json to the folder `out` where that is not empty. `write` adds
/// other files.
void publish(const Result& result, bool json, const std::string& out,
             const std::function<void(const std::filesystem::path& folder)>& write = {});

}  // namespace trimtab::cli
