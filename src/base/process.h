#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

struct ProcessResult {
  int exit_code = 0;       ///< 128 + signal where a signal ended it
  bool timed_out = false;  ///< it was killed because it ran past the limit
  std::string output;      ///< standard output
  std::string errors;      ///< standard error
};

/// Runs a program found on PATH, without a shell, and waits for it. Throws Error (bad input) where the program is not
/// installed; `hint` says how to get it, for instance "install the package qemu-system-arm".
[[nodiscard]] ProcessResult run_process(const std::vector<std::string>& command, const std::string& hint,
                                        std::chrono::milliseconds limit = std::chrono::minutes(10),
                                        const std::filesystem::path& working_directory = {});

/// Whether PATH has the program.
[[nodiscard]] bool has_program(const std::string& name);

/// The arguments that this process was started with, its own name first. Linux.
[[nodiscard]] std::vector<std::string> own_arguments();

}  // namespace trimtab
