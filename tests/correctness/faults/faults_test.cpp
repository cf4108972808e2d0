// The built command while system calls fail or kill it: its folder holds the earlier result or the new one, whole.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/cleaner.h"
#include "base/file.h"
#include "base/process.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// The contents of a folder's files, by name.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder)] = read_text(entry.path());
  }
  return files;
}

std::vector<std::string> plan(const std::string& ambient, const fs::path& out) {
  const std::string source = TRIMTAB_SOURCE_DIR;
  return {TRIMTAB_COMMAND,
          "sustain",
          "plan",
          source + "/targets/socs/exynos5422.toml",
          "--variants",
          source + "/targets/socs/mobilenet_v1-exynos5422.csv",
          "--ambient",
          ambient,
          "-o",
          out};
}

class Faults : public ::testing::Test {
 protected:
  Faults() {
    // Whatever a killed command leaves becomes a child of this process, so that its end can be waited for.
    cleaner::start();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    EXPECT_EQ(run_process(plan("35", folder_.path() / "old"), "").exit_code, 0);
    EXPECT_EQ(run_process(plan("25", folder_.path() / "new"), "").exit_code, 0);
    old_ = contents(folder_.path() / "old");
    new_ = contents(folder_.path() / "new");
    EXPECT_NE(old_, new_);
    old_["notes/mine.txt"] = new_["notes/mine.txt"] = "mine";
  }
  /// Makes the new result over the old one with a fault at call `at` of `calls`.
  ProcessResult attempt(int at, const std::string& kind, const std::string& calls) {
    fs::remove_all(out());
    fs::create_directories(out().parent_path());
    fs::copy(folder_.path() / "old", out(), fs::copy_options::recursive);
    make_directory(out() / "notes");
    write_file(out() / "notes/mine.txt", std::string_view("mine"));
    fs::remove(count());
    std::vector<std::string> command{"env",
                                     std::string("LD_PRELOAD=") + TRIMTAB_FAULTS,
                                     "FAULT_PROGRAM=trimtab",
                                     "FAULT_AT=" + std::to_string(at),
                                     "FAULT_KIND=" + kind,
                                     "FAULT_CALLS=" + calls,
                                     "FAULT_COUNT=" + count().string()};
    const std::vector<std::string> work = plan("25", out());
    command.insert(command.end(), work.begin(), work.end());
    ProcessResult result = run_process(command, "");
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
    return result;
  }
  /// Of a run without a fault.
  int calls(const std::string& which) {
    EXPECT_EQ(attempt(0, "kill", which).exit_code, 0);
    EXPECT_EQ(contents(out()), new_);
    return std::stoi(read_text(count()));
  }
  void expect_old_or_new(const std::string& what) {
    const auto found = contents(out());
    EXPECT_TRUE(found == old_ || found == new_) << what << ": " << ::testing::PrintToString(found);
    EXPECT_EQ(std::distance(fs::directory_iterator(out().parent_path()), {}), 1) << what << ": something stayed";
  }
  [[nodiscard]] fs::path out() const { return folder_.path() / "work" / "out"; }
  [[nodiscard]] fs::path count() const { return folder_.path() / "count"; }

  TemporaryDirectory folder_;
  std::map<std::string, std::string> old_;
  std::map<std::string, std::string> new_;
};

TEST_F(Faults, KilledAtEveryCall) {
  const int count = calls("all");
  ASSERT_GT(count, 10);
  for (int at = 1; at <= count; ++at) {
    EXPECT_EQ(attempt(at, "kill", "all").exit_code, 128 + 9) << at;
    expect_old_or_new("killed at call " + std::to_string(at));
  }
  RecordProperty("kills", count);
}

TEST_F(Faults, EveryCallFails) {
  const int count = calls("all");
  for (const int error : {ENOSPC, EIO}) {
    for (int at = 1; at <= count; ++at) {
      const ProcessResult result = attempt(at, std::to_string(error), "all");
      const std::string what = "error " + std::to_string(error) + " at call " + std::to_string(at);
      expect_old_or_new(what);
      // Either the command says in one line why not, or it has done its work another way.
      if (result.exit_code == 0) {
        EXPECT_EQ(contents(out()), new_) << what;
      } else {
        EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << what << result.errors;
        EXPECT_THAT(result.errors, ::testing::Not(HasSubstr("internal"))) << what;
      }
    }
  }
  RecordProperty("failed_calls", 2 * count);
}

ProcessResult shell(const std::string& line) { return run_process({"sh", "-c", line}, ""); }

std::string joined(const std::vector<std::string>& command) {
  std::string line;
  for (const std::string& word : command) line += "'" + word + "' ";
  return line;
}

TEST_F(Faults, OutputThatDoesNotArriveIsAFailure) {
  const std::string command = joined(plan("25", folder_.path() / "again"));
  for (const char* where : {"> /dev/full", ">&-"}) {
    const ProcessResult result = shell(command + where);
    EXPECT_EQ(result.exit_code, 1) << where;
    EXPECT_THAT(result.errors, HasSubstr("trimtab: standard output could not be written")) << where;
  }
  EXPECT_EQ(shell(command + "> /dev/null").exit_code, 0);
}

TEST_F(Faults, ALimitOnTheSizeOfFilesHasASentence) {
  const fs::path again = folder_.path() / "again";
  const ProcessResult result = shell("ulimit -f 0; " + joined(plan("25", again)));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.errors, HasSubstr("File too large"));
  EXPECT_FALSE(fs::exists(again));
}

TEST_F(Faults, TextsFromOutsideDoNotReachTheTerminal) {
  const ProcessResult result = run_process(plan("25", fs::path("/proc") / "\x1b]0;title\x07\n"), "");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, HasSubstr("\\x1b]0;title\\x07\\x0a"));
  EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1);
}

TEST_F(Faults, ThePlotsNameIsNoCommand) {
  const std::string source = TRIMTAB_SOURCE_DIR;
  const fs::path mark = folder_.path() / "mark";
  make_directory(folder_.path() / "plots");
  const auto draw = [&](const std::string& name) {
    return run_process({TRIMTAB_COMMAND, "sustain", "simulate", source + "/targets/socs/exynos5422.toml", "--variants",
                        source + "/targets/socs/mobilenet_v1-exynos5422.csv", "--governors", "fixed", "--plot",
                        (folder_.path() / "plots" / name).string()},
                       "");
  };
  const ProcessResult newline = draw("x\nsystem \"touch " + mark.filename().string() + "\"\n.svg");
  EXPECT_EQ(newline.exit_code, 2);
  EXPECT_THAT(newline.errors, HasSubstr("control characters"));
  for (const std::string name : {"|touch mark;.svg", "<touch mark;.svg", "-e.svg", "it's.svg"}) {
    EXPECT_EQ(draw(name).exit_code, 0) << name;
    EXPECT_TRUE(fs::exists(folder_.path() / "plots" / name)) << name;
  }
  EXPECT_FALSE(fs::exists(folder_.path() / "plots" / "mark"));
  EXPECT_FALSE(fs::exists(mark));
}

}  // namespace
}  // namespace trimtab
