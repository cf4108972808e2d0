// The built command while system calls fail or kill it: its folder holds the earlier result or the new one, whole.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "faulty_command.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

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
  Faults() : command_([](const fs::path& out) { return plan("25", out); }, "trimtab") {
    EXPECT_EQ(run_process(plan("35", folder_.path() / "old"), "").exit_code, 0);
    EXPECT_EQ(run_process(plan("25", folder_.path() / "new"), "").exit_code, 0);
    for (const char* result : {"old", "new"}) {
      make_directory(folder_.path() / result / "notes");
      write_file(folder_.path() / result / "notes/mine.txt", std::string_view("mine"));
    }
    old_ = contents_of(folder_.path() / "old");
    new_ = contents_of(folder_.path() / "new");
    EXPECT_NE(old_, new_);
  }
  /// Makes the new result over the old one with a fault.
  ProcessResult attempt(int at, int error, const std::string& calls) {
    command_.prepare(folder_.path() / "old");
    return command_.run(at, error, calls);
  }
  int count_calls() {
    command_.prepare(folder_.path() / "old");
    const int count = command_.count("all");
    EXPECT_EQ(contents_of(command_.out()), new_);
    return count;
  }
  void expect_old_or_new(const std::string& what) {
    const Contents found = contents_of(command_.out());
    EXPECT_TRUE(found == old_ || found == new_) << what << ": " << ::testing::PrintToString(found);
    command_.expect_nothing_beside(what);
  }

  FaultyCommand command_;
  TemporaryDirectory folder_;
  Contents old_;
  Contents new_;
};

TEST_F(Faults, KilledAtEveryCall) {
  const int count = count_calls();
  ASSERT_GT(count, 10);
  for (int at = 1; at <= count; ++at) {
    EXPECT_EQ(attempt(at, 0, "all").exit_code, 128 + 9) << at;
    expect_old_or_new("killed at call " + std::to_string(at));
  }
  RecordProperty("kills", count);
}

TEST_F(Faults, EveryCallFails) {
  const int count = count_calls();
  for (const int error : {ENOSPC, EIO}) {
    for (int at = 1; at <= count; ++at) {
      const ProcessResult result = attempt(at, error, "all");
      const std::string what = "error " + std::to_string(error) + " at call " + std::to_string(at);
      expect_old_or_new(what);
      // Either the command says in one line why not, or it has done its work another way.
      if (result.exit_code == 0) {
        EXPECT_EQ(contents_of(command_.out()), new_) << what;
      } else {
        FaultyCommand::expect_sentence(result, what);
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
