#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace trimtab::cli {

// The words of the command's own description of its options, for the table, the manual pages and the completions.

/// "--flash", "-o, --out", or "MODEL" of a positional one.
[[nodiscard]] std::string spelling(const CLI::Option& option);

/// The default in words, "required", or nothing.
[[nodiscard]] std::string default_of(const CLI::Option& option);

/// The words that the option takes, where it takes no others.
[[nodiscard]] std::vector<std::string> choices_of(const CLI::Option& option);

/// True where the option takes no value.
[[nodiscard]] bool is_flag(const CLI::Option& option);

/// All options but --help, --version and hidden ones; positional ones first.
[[nodiscard]] std::vector<const CLI::Option*> visible_options(const CLI::App& command);

/// A command with its name from the program on, "sustain plan"; empty for the program itself.
struct NamedCommand {
  std::string name;
  const CLI::App* command;
};

/// The program and all its visible commands, each before its subcommands.
[[nodiscard]] std::vector<NamedCommand> visible_commands(const CLI::App& program);

}  // namespace trimtab::cli
