#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "base/cleaner.h"
#include "base/file.h"
#include "base/process.h"

namespace trimtab {

/// What the files of a folder hold, by name.
using Contents = std::map<std::string, std::string>;

/// A result tells the command line that made it, with its folder, and its report tells how long that took. Two runs of
/// a command differ in these.
inline std::string without_run(const std::filesystem::path& file, const std::string& text) {
  if (file.extension() != ".json" && file.extension() != ".html") return text;
  static const std::regex folder(" -o [^ \"<]+");
  static const std::regex took("<dt>took</dt><dd>[^<]*</dd>");
  return std::regex_replace(std::regex_replace(text, folder, ""), took, "");
}

inline Contents contents_of(const std::filesystem::path& folder) {
  Contents files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files[std::filesystem::relative(entry.path(), folder)] = without_run(entry.path(), read_text(entry.path()));
  }
  return files;
}

/// A command that writes a folder where an earlier result may lie, with faults in its system calls.
class FaultyCommand {
 public:
  /// `command_into` gives the command for a folder. The faults happen in the process `program`.
  FaultyCommand(std::function<std::vector<std::string>(const std::filesystem::path& out)> command_into,
                std::string program)
      : command_into_(std::move(command_into)), program_(std::move(program)) {
    // Whatever a killed command leaves becomes a child of this process, so that its end can be waited for.
    cleaner::start();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  }

  /// Alone in its folder, so that whatever a command leaves beside it is seen.
  [[nodiscard]] std::filesystem::path out() const { return folder_.path() / "work" / "out"; }

  /// Makes OUT a copy of `earlier`, or nothing where that is empty.
  void prepare(const std::filesystem::path& earlier) const {
    std::filesystem::remove_all(out());
    std::filesystem::create_directories(out().parent_path());
    if (!earlier.empty()) std::filesystem::copy(earlier, out(), std::filesystem::copy_options::recursive);
  }

  /// With a fault at call `at` of `calls`: it kills where `error` is 0, otherwise the call fails with that error.
  [[nodiscard]] ProcessResult run(int at, int error, const std::string& calls) const {
    std::filesystem::remove(count_file());
    std::vector<std::string> command{"env",
                                     std::string("LD_PRELOAD=") + TRIMTAB_FAULTS,
                                     "FAULT_PROGRAM=" + program_,
                                     "FAULT_AT=" + std::to_string(at),
                                     "FAULT_KIND=" + (error == 0 ? std::string("kill") : std::to_string(error)),
                                     "FAULT_CALLS=" + calls,
                                     "FAULT_COUNT=" + count_file().string()};
    const std::vector<std::string> work = command_into_(out());
    command.insert(command.end(), work.begin(), work.end());
    ProcessResult result = run_process(command, "");
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
    return result;
  }

  /// Such calls of a run without a fault.
  [[nodiscard]] int count(const std::string& calls) const {
    const ProcessResult result = run(0, 0, calls);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return std::stoi(read_text(count_file()));
  }

  /// A command that fails says in one line why, and that is no internal fault.
  static void expect_sentence(const ProcessResult& result, const std::string& what) {
    EXPECT_GE(result.exit_code, 1) << what;
    EXPECT_LE(result.exit_code, 3) << what << result.errors;
    EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << what << result.errors;
    EXPECT_EQ(result.errors.find("internal"), std::string::npos) << what << result.errors;
  }

  void expect_nothing_beside(const std::string& what) const {
    for (const auto& entry : std::filesystem::directory_iterator(out().parent_path())) {
      EXPECT_EQ(entry.path(), out()) << what << ": something stayed";
    }
  }

 private:
  [[nodiscard]] std::filesystem::path count_file() const { return folder_.path() / "count"; }

  std::function<std::vector<std::string>(const std::filesystem::path& out)> command_into_;
  std::string program_;
  TemporaryDirectory folder_;
};

}  // namespace trimtab
