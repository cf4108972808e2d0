#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/option_words.h"

namespace trimtab::cli {
namespace {

std::vector<std::string> spellings(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

bool is_child(const NamedCommand& command, const NamedCommand& parent) {
  return command.command->get_parent() == parent.command;
}

/// "|fit|sustain|sustain plan|": both shells look the words of a line up in it.
std::string command_list(const std::vector<NamedCommand>& all) {
  std::string list = "|";
  for (const NamedCommand& command : all) list += command.name.empty() ? "" : command.name + "|";
  return list;
}

std::string bash_completion(const std::vector<NamedCommand>& all) {
  std::string script = fmt::format(
      "# Completion of trimtab in bash, made by 'trimtab completion bash'.\n"
      "_trimtab() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command= word words= "
      "values=\n"
      "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n"
      "    [[ '{}' == *\"|${{command:+$command }}$word|\"* ]] && command=${{command:+$command }}$word\n"
      "  done\n"
      "  case $command in\n",
      command_list(all));
  for (const NamedCommand& described : all) {
    std::vector<std::string> words{"--help"};
    if (described.name.empty()) words.emplace_back("--version");
    std::string values;
    for (const CLI::Option* option : visible_options(*described.command)) {
      const std::vector<std::string> names = spellings(*option);
      words.insert(words.end(), names.begin(), names.end());
      const std::vector<std::string> choices = choices_of(*option);
      if (!choices.empty() && !names.empty()) {
        values += fmt::format("        {}) values='{}' ;;\n", fmt::join(names, "|"), fmt::join(choices, " "));
      }
    }
    std::string commands;
    for (const NamedCommand& other : all) {
      if (is_child(other, described)) commands += " " + other.command->get_name();
    }
    script += fmt::format("    '{}')\n      words='{}'\n", described.name, fmt::join(words, " "));
    if (!commands.empty()) script += fmt::format("      [[ $current == -* ]] || words='{}'\n", commands.substr(1));
    if (!values.empty()) script += fmt::format("      case $previous in\n{}      esac\n", values);
    script += "      ;;\n";
  }
  // where nothing fits, bash completes names of files
  script +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"${values:-$words}\" -- \"$current\"))\n"
      "}\n"
      "complete -o default -F _trimtab trimtab\n";
  return script;
}

/// A description inside '...[ ]' of zsh's _arguments.
std::string zsh_text(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\'') {
      escaped += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

std::string zsh_specification(const std::string& name, const CLI::Option& option) {
  const std::vector<std::string> choices = choices_of(option);
  const std::string value = choices.empty() ? "_files" : fmt::format("({})", fmt::join(choices, " "));
  if (is_flag(option)) return fmt::format("'*{}[{}]'", name, zsh_text(option.get_description()));
  return fmt::format("'*{}[{}]:value:{}'", name, zsh_text(option.get_description()), value);
}

std::string zsh_completion(const std::vector<NamedCommand>& all) {
  std::string script = fmt::format(
      "#compdef trimtab\n"
      "# Completion of trimtab in zsh, made by 'trimtab completion zsh'.\n"
      "_trimtab() {{\n"
      "  local command= word\n"
      "  local -a commands\n"
      "  integer depth=1 i\n"
      "  for (( i = 2; i < CURRENT; ++i )); do\n"
      "    word=${{command:+$command }}$words[i]\n"
      "    [[ '{}' == *\"|$word|\"* ]] && command=$word depth=i\n"
      "  done\n"
      "  shift $((depth - 1)) words; (( CURRENT -= depth - 1 ))\n"
      "  case $command in\n",
      command_list(all));
  for (const NamedCommand& described : all) {
    script += fmt::format("    ('{}')\n", described.name);
    std::string commands;
    for (const NamedCommand& other : all) {
      if (is_child(other, described))
        commands += fmt::format(" '{}:{}'", other.command->get_name(), zsh_text(other.command->get_description()));
    }
    if (!commands.empty()) {
      script += fmt::format(
          "      commands=({})\n"
          "      [[ $words[CURRENT] == -* ]] || {{ _describe command commands; return; }}\n",
          commands.substr(1));
    }
    script += "      _arguments -s '*--help[print all options]'";
    if (described.name.empty()) script += " '*--version[print the version]'";
    bool positional = false;
    for (const CLI::Option* option : visible_options(*described.command)) {
      positional = positional || option->get_positional();
      for (const std::string& name : spellings(*option))
        script += fmt::format(" \\\n        {}", zsh_specification(name, *option));
    }
    script += positional ? " \\\n        '*:file:_files' ;;\n" : " ;;\n";
  }
  script +=
      "  esac\n"
      "}\n"
      "_trimtab \"$@\"\n";
  return script;
}

}  // namespace

// Prints the completions that are installed. Not for people.
void add_completion(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "print the completion of a shell");
  command->group("");  // hidden
  command->add_option("SHELL", *shell, "the shell")->check(CLI::IsMember({"bash", "zsh"}))->required();
  command->callback([&app, shell] {
    const std::vector<NamedCommand> all = visible_commands(app);
    fmt::print("{}", *shell == "bash" ? bash_completion(all) : zsh_completion(all));
  });
}

}  // namespace trimtab::cli
