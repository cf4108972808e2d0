#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/surroundings.h"

namespace trimtab::cli {

// One function per subcommand of `trimtab sustain`, each in sustain_NAME.cpp.
void add_sustain_doctor(CLI::App& sustain);
void add_sustain_profile(CLI::App& sustain);
void add_sustain_identify(CLI::App& sustain, const Surroundings& around);
void add_sustain_simulate(CLI::App& sustain, const Surroundings& around);
void add_sustain_plan(CLI::App& sustain, const Surroundings& around);
void add_sustain_govern(CLI::App& sustain, const Surroundings& around);
void add_sustain_release(CLI::App& sustain);

// Options that several of them share; see common.h.

CLI::Option* add_soc(CLI::App& command, std::string& soc);  ///< positional
CLI::Option* add_cluster_option(CLI::App& command, std::string& cluster);
CLI::Option* add_variants_option(CLI::App& command, std::string& variants);
CLI::Option* add_variants_option(CLI::App& command, std::vector<std::string>& variants);
CLI::Option* add_ambient_option(CLI::App& command, double& ambient_c);
CLI::Option* add_temperature_limit_option(CLI::App& command, double& limit_c);
CLI::Option* add_min_accuracy_option(CLI::App& command, double& percent);
CLI::Option* add_duration_option(CLI::App& command, double& seconds);
CLI::Option* add_fan_flag(CLI::App& command, bool& fan);
CLI::Option* add_sysfs_root_option(CLI::App& command, std::string& root);
CLI::Option* add_policy_option(CLI::App& command, std::string& policy);
CLI::Option* add_state_folder_option(CLI::App& command, std::string& folder);
CLI::Option* add_prefix_option(CLI::App& command, std::string& prefix);
CLI::Option* add_plot_option(CLI::App& command, std::string& plot);

/// Delivers the result, and writes summary.txt, result.json and report.html to the folder `out` where that is not
/// empty. `write` adds other files.
void publish(const Surroundings& around, Result result, bool json, const std::string& out,
             const std::function<void(const std::filesystem::path& folder)>& write = {});

}  // namespace trimtab::cli
