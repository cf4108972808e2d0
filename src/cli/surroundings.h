#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace trimtab::cli {

/// The things around a command: a terminal, or a program that calls the command as a function (python/).
struct Surroundings {
  /// Takes the result. `json`: the user asked for JSON.
  std::function<void(const Result& result, bool json)> deliver;
  std::function<void(const std::string&)> report;  ///< told what is being done, one line each; may be empty
  /// Training and searches save and end with an Error where it becomes true; null: signals of the process end them.
  const std::atomic<bool>* interrupted = nullptr;
  std::filesystem::path trial_program = "/proc/self/exe";  ///< runs the trials of a search, as `trimtab trial`
  std::string command_line;                                ///< that runs the command again
};

/// The command line of these arguments, as a shell takes it.
[[nodiscard]] std::string command_line(const std::vector<std::string>& arguments);

/// Results on standard output, their warnings before them on standard error, and reports there where it is a terminal.
[[nodiscard]] Surroundings terminal();

}  // namespace trimtab::cli
