#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace trimtab::cli {

struct Surroundings;

/// Adds all commands with their options. Parsing the application then runs the command that the arguments name.
void add_commands(CLI::App& app, const Surroundings& around);

/// Parses the arguments of `trimtab` and runs the command that they name. Returns the exit code. Throws Error.
int parse_and_run(int argc, char** argv);

/// Runs `body` and returns its exit code. Where it throws, prints one line on standard error and returns the exit code
/// of the error.
int report_errors(const std::function<int()>& body);

}  // namespace trimtab::cli
