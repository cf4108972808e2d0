#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace trimtab::cli {

/// Options that every command has.
struct CommonOptions {
  bool json = false;
  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: all cores
};

/// Adds --json, --seed and --threads, and `example` (a whole command line) to the command's --help.
void add_common_options(CLI::App& command, CommonOptions& options, const std::string& example);

/// Prints the result as JSON or as text for people.
void print(const Result& result, bool json);

/// Adds --bfloat16 to a command that trains.
void add_bfloat16_flag(CLI::App& command, bool& bfloat16);

}  // namespace trimtab::cli
