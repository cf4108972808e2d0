#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/option_words.h"

namespace trimtab::cli {
namespace {

/// The commands that are functions in Python: those that deliver their result (surroundings.h).
struct PythonFunction {
  std::string_view command;
  std::string_view name;
  std::string_view result;
};
constexpr std::array functions = {
    PythonFunction{"train", "train", "TrainResult"},
    PythonFunction{"eval", "evaluate", "EvalResult"},
    PythonFunction{"fit", "fit", "FitResult"},
    PythonFunction{"inspect", "inspect", "InspectResult"},
    PythonFunction{"package", "package", "Result"},
    PythonFunction{"scale", "scale", "ScaleResult"},
    PythonFunction{"assess", "assess", "AssessResult"},
    PythonFunction{"variants", "variants", "Result"},
    PythonFunction{"sustain identify", "identify", "Result"},
    PythonFunction{"sustain simulate", "simulate", "Result"},
    PythonFunction{"sustain plan", "plan", "Result"},
};

/// "--flash" is `flash`, "SOC" is `soc`. A finished folder OUT is a `result`, and "--for" is `for_`, a word of
/// Python's.
std::string parameter_of(const CLI::Option& option) {
  if (option.get_positional() && option.get_name(true) == "OUT") return "result";
  std::string name = option.get_positional() ? option.get_name(true) : option.get_lnames().front();
  std::ranges::replace(name, '-', '_');
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name == "for" ? "for_" : name;
}

std::string type_of(const CLI::Option& option) {
  if (is_flag(option)) return "bool";
  const std::string parameter = parameter_of(option);
  const std::vector<std::string> choices = choices_of(option);
  std::string type = option.get_type_name();
  type = type.substr(0, type.find(':'));
  if (parameter == "model" || parameter == "teacher") {
    type = "Model";
  } else if (parameter == "data" || parameter.ends_with("_data")) {
    type = "Data";
  } else if (type == "INT" || type == "UINT") {
    type = "int";
  } else if (type == "FLOAT") {
    type = "float";
  } else if (!choices.empty()) {
    type = fmt::format("Literal[\"{}\"]", fmt::join(choices, "\", \""));
  } else {
    type = "Text";
  }
  return option.get_items_expected_max() > 1 ? fmt::format("Sequence[{}]", type) : type;
}

/// Without the options that only a terminal needs.
std::vector<const CLI::Option*> parameters_of(const CLI::App& command) {
  std::vector<const CLI::Option*> options = visible_options(command);
  std::erase_if(options, [](const CLI::Option* option) { return option->check_lname("json"); });
  std::stable_partition(options.begin(), options.end(), [](const CLI::Option* option) {
    return option->get_positional() || (option->get_required() && parameter_of(*option) != "out");
  });
  return options;
}

std::string function_of(const PythonFunction& function, const CLI::App& command) {
  std::string signature;
  std::string explanation;
  std::string values;
  bool named = false;
  bool needs_out = false;
  for (const CLI::Option* option : parameters_of(command)) {
    const std::string parameter = parameter_of(*option);
    const bool required = option->get_required() && parameter != "out";
    if (!option->get_positional() && !named) {
      signature += "    *,\n";
      named = true;
    }
    signature += is_flag(*option)
                     ? fmt::format("    {}: bool = False,\n", parameter)
                     : fmt::format("    {}: {}{},\n", parameter, type_of(*option), required ? "" : " | None = None");
    const std::string value = default_of(*option);
    std::string note = value.empty() || required ? "" : fmt::format(" (default: {})", value);
    if (parameter == "out" && option->get_required()) {
      needs_out = true;
      note = " (default: a temporary one, which ends with the result)";
    }
    explanation += fmt::format("        {}: {}{}\n", parameter, option->get_description(), note);
    values += fmt::format("            \"{}{}\": {},\n", option->get_positional() ? "" : "--",
                          option->get_positional() ? option->get_name(true) : option->get_lnames().front(), parameter);
  }
  std::string words;
  for (const std::string& word : CLI::detail::split(std::string(function.command), ' '))
    words += fmt::format("\"{}\",", word);
  return fmt::format(
      "\n\ndef {}(\n{}    progress: Progress | None = None,\n) -> {}:\n"
      "    r\"\"\"{}{}.\n\n    The same as `trimtab {}`.\n\n    Args:\n{}"
      "        progress: is called with a line for everything that is being done\n    \"\"\"\n"
      "    return run(\n        ({}),\n        {},\n        {{\n{}        }},\n        progress,\n        "
      "needs_out={},\n    )\n",
      function.name, signature, function.result,
      static_cast<char>(std::toupper(static_cast<unsigned char>(command.get_description()[0]))),
      command.get_description().substr(1), function.command, explanation, words, function.result, values,
      needs_out ? "True" : "False");
}

}  // namespace

// Prints the functions of the Python package. Not for people.
void add_python_functions(CLI::App& app) {
  const auto parent = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("python-functions", "print the commands as functions in Python");
  command->group("");  // hidden
  command->add_option("PARENT", *parent, "command whose subcommands are printed");
  command->callback([&app, parent] {
    fmt::print(
        "\"\"\"The commands as functions, made by 'trimtab python-functions' from the options of the "
        "commands.\"\"\"\n\n"
        "from collections.abc import Sequence\nfrom typing import Literal\n\n"
        "from trimtab._call import Data, Model, Progress, Text, run\n"
        "from trimtab.results import *  # noqa: F403\n");
    for (const auto& [name, described] : visible_commands(app)) {
      const CLI::App* above = described->get_parent();
      if (above == nullptr || above->get_name() != (parent->empty() ? app.get_name() : *parent)) continue;
      const auto* const function = std::ranges::find(functions, name, &PythonFunction::command);
      if (function != functions.end()) fmt::print("{}", function_of(*function, *described));
    }
  });
}

}  // namespace trimtab::cli
