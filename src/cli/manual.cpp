#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/option_words.h"

namespace trimtab::cli {
namespace {

/// Text for man: a backslash and a hyphen have meanings there, and so has a dot or a quote that begins a line.
std::string roff(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    const bool begins_line = escaped.empty() || escaped.back() == '\n';
    if (begins_line && (c == '.' || c == '\'')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

/// "trimtab", "trimtab-sustain-plan".
std::string page_name(const std::string& command) {
  std::string name = command.empty() ? "trimtab" : "trimtab " + command;
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string value_of(const CLI::Option& option) {
  if (is_flag(option) || option.get_positional()) return "";
  const std::vector<std::string> choices = choices_of(option);
  std::string type = choices.empty() ? option.get_type_name() : fmt::format("{}", fmt::join(choices, " | "));
  type = type.substr(0, type.find(':'));  // "INT:RANGE[0 - 1024]"
  return fmt::format(" \\fI{}\\fR", roff(type));
}

std::string describe(const CLI::Option& option) {
  std::string text =
      fmt::format(".TP\n\\fB{}\\fR{}\n{}", roff(spelling(option)), value_of(option), roff(option.get_description()));
  const std::string value = default_of(option);
  if (!value.empty()) text += option.get_required() ? " (required)" : fmt::format(" (default: {})", roff(value));
  return text + "\n";
}

/// The manual page of a command, for man(7).
std::string page_of(const NamedCommand& described, const std::vector<NamedCommand>& all) {
  const auto& [name, command] = described;
  const std::vector<const CLI::Option*> options = visible_options(*command);
  std::string text =
      fmt::format(".TH {} 1 \"\" \"trimtab {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n",
                  page_name(name), TRIMTAB_VERSION, roff(page_name(name)), roff(command->get_description()));
  text += fmt::format("\\fBtrimtab{}{}\\fR", name.empty() ? "" : " ", roff(name));
  std::string children;
  for (const NamedCommand& other : all) {
    const bool child = other.command->get_parent() == command;
    if (child)
      children +=
          fmt::format(".TP\n\\fB{}\\fR(1)\n{}\n", roff(page_name(other.name)), roff(other.command->get_description()));
  }
  if (!children.empty()) text += " \\fICOMMAND\\fR";
  for (const CLI::Option* option : options) {
    if (option->get_positional()) text += fmt::format(" \\fI{}\\fR", roff(spelling(*option)));
  }
  text += " [\\fIOPTION\\fR...]\n";
  if (!children.empty()) text += ".SH COMMANDS\n" + children;
  text += ".SH OPTIONS\n";
  for (const CLI::Option* option : options) text += describe(*option);
  text += ".TP\n\\fB\\-h, \\-\\-help\\fR\nprint all options\n";
  if (name.empty()) text += ".TP\n\\fB\\-\\-version\\fR\nprint the version\n";
  text +=
      ".SH EXIT STATUS\n0 success; 2 an input is wrong; 3 a bound cannot be met; 1 any other failure. "
      "The last line on standard error says the reason.\n";
  const std::string heading = "Example:\n";
  std::string example = command->get_footer();
  if (example.starts_with(heading)) example = example.substr(heading.size());
  if (!example.empty()) text += fmt::format(".SH EXAMPLE\n.nf\n{}\n.fi\n", roff(example));
  if (!name.empty()) text += ".SH SEE ALSO\n\\fBtrimtab\\fR(1)\n";
  return text;
}

}  // namespace

// Writes the manual pages that are installed. Not for people.
void add_manual(CLI::App& app) {
  const auto folder = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("manual", "write a manual page of every command to a folder");
  command->group("");  // hidden
  command->add_option("FOLDER", *folder, "folder of the pages")->required();
  command->callback([&app, folder] {
    const std::filesystem::path pages = *folder;
    std::filesystem::create_directories(pages);
    const std::vector<NamedCommand> all = visible_commands(app);
    for (const NamedCommand& described : all)
      write_file(pages / (page_name(described.name) + ".1"), page_of(described, all));
  });
}

}  // namespace trimtab::cli
