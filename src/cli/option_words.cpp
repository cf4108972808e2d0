#include "cli/option_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace trimtab::cli {

std::string spelling(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string default_of(const CLI::Option& option) {
  if (option.get_required()) return "required";
  std::string text = option.get_default_str();
  const bool is_list = text.starts_with('[') && text.ends_with(']');
  return is_list ? text.substr(1, text.size() - 2) : text;
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();  // of CLI::IsMember "TEXT:{speed,size}"
  const std::size_t begin = type.find(":{");
  if (begin == std::string::npos || !type.ends_with('}')) return {};
  return CLI::detail::split(type.substr(begin + 2, type.size() - begin - 3), ',');
}

bool is_flag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

std::vector<const CLI::Option*> visible_options(const CLI::App& command) {
  std::vector<const CLI::Option*> options = command.get_options();
  std::erase_if(options, [&](const CLI::Option* option) {
    return option == command.get_help_ptr() || option == command.get_version_ptr() || option->get_group().empty();
  });
  std::stable_partition(options.begin(), options.end(),
                        [](const CLI::Option* option) { return option->get_positional(); });
  return options;
}

std::vector<NamedCommand> visible_commands(const CLI::App& program) {
  std::vector<NamedCommand> commands{{"", &program}};
  for (std::size_t i = 0; i < commands.size(); ++i) {  // grows meanwhile
    const NamedCommand parent = commands[i];
    const auto is_visible = [](const CLI::App* subcommand) { return !subcommand->get_group().empty(); };
    auto place = commands.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    for (const CLI::App* command : parent.command->get_subcommands(is_visible)) {
      const std::string name = parent.name.empty() ? command->get_name() : parent.name + " " + command->get_name();
      place = commands.insert(place, {name, command}) + 1;
    }
  }
  return commands;
}

}  // namespace trimtab::cli
