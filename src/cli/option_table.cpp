#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/option_words.h"

namespace trimtab::cli {
namespace {

struct OptionUse {
  std::string command;
  std::string default_value;
};

/// An option as one line of the table: its spelling and its meaning.
using OptionMeaning = std::pair<std::string, std::string>;

std::string list(const std::vector<OptionUse>& uses) {
  std::string text;
  for (const OptionUse& use : uses) text += (text.empty() ? "" : ", ") + use.command;
  return text;
}

/// The default, or each default with its commands where they differ.
std::string defaults_of(std::vector<OptionUse> uses) {
  std::string text;
  const std::size_t all = uses.size();
  while (!uses.empty()) {
    const std::string value = uses.front().default_value;
    const auto others = std::stable_partition(uses.begin(), uses.end(),
                                              [&](const OptionUse& use) { return use.default_value == value; });
    const std::vector<OptionUse> equal(uses.begin(), others);
    uses.erase(uses.begin(), others);
    if (value.empty()) continue;
    text += (text.empty() ? "" : "; ") + value;
    if (equal.size() < all) text += fmt::format(" ({})", list(equal));
  }
  return text;
}

}  // namespace

// Prints docs/options.md. Not for people.
void add_option_table(CLI::App& app) {
  CLI::App* command = app.add_subcommand("option-table", "print all options of all commands as a Markdown table");
  command->group("");  // hidden
  command->callback([&app] {
    std::map<OptionMeaning, std::vector<OptionUse>> table;
    for (const auto& [name, described] : visible_commands(app)) {
      for (const CLI::Option* option : visible_options(*described))
        table[{spelling(*option), option->get_description()}].push_back({name, default_of(*option)});
    }
    fmt::print(
        "# All options\n\nEvery option has one spelling and one meaning over all commands.\n`trimtab option-table > "
        "docs/options.md` makes this page. A test compares the page with the commands.\n\n"
        "| option | commands | meaning | default |\n|---|---|---|---|\n");
    for (const auto& [option, uses] : table) {
      fmt::print("| `{}` | {} | {} | {} |\n", option.first, list(uses), option.second, defaults_of(uses));
    }
  });
}

}  // namespace trimtab::cli
