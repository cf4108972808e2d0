#include "base/cleaner.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "base/staging.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// The program that this test is, as a process of its own that does `work` and then waits to be killed.
class Victim {
 public:
  explicit Victim(const std::function<void()>& work) {
    if (::pipe(ready_.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      work();
      (void)!::write(ready_[1], "r", 1);
      for (;;) ::pause();
    }
    char byte = 0;
    (void)!::read(ready_[0], &byte, 1);
  }
  ~Victim() {
    ::close(ready_[0]);
    ::close(ready_[1]);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  Victim(Victim&&) = delete;
  Victim& operator=(Victim&&) = delete;
  void end(int signal) const {
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  std::array<int, 2> ready_{};
  pid_t pid_ = -1;
};

/// Whatever a process leaves becomes a child of this one, so that its end can be waited for.
void adopt_orphans() {
  cleaner::start();  // this process's own cleaner is none of them
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}
void wait_for_orphans() {
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

class Cleaner : public ::testing::TestWithParam<int> {};

TEST_P(Cleaner, LeavesNothingBehindASignal) {
  adopt_orphans();
  const TemporaryDirectory folder;
  make_directory(folder.path() / "tmp");
  {
    const Victim victim([&] {
      ::setenv("TMPDIR", (folder.path() / "tmp").c_str(), 1);
      const auto* temporary = new TemporaryDirectory;
      write_file(temporary->path() / "some.txt", std::string_view("text"));
      const auto* staging = new StagingFolder(folder.path() / "out");
      write_file(staging->path() / "result.json", std::string_view("{}"));
    });
    EXPECT_FALSE(fs::is_empty(folder.path() / "tmp"));
    victim.end(GetParam());
  }
  wait_for_orphans();
  EXPECT_TRUE(fs::is_empty(folder.path() / "tmp"));
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder.path())) left.push_back(entry.path().filename().string());
  std::ranges::sort(left);
  EXPECT_EQ(left, (std::vector<std::string>{"out", "tmp"}));
}

INSTANTIATE_TEST_SUITE_P(Signals, Cleaner, ::testing::Values(SIGINT, SIGTERM, SIGHUP, SIGKILL));

TEST(CleanerOfPrograms, KillsWhatAProcessRan) {
  adopt_orphans();
  const TemporaryDirectory folder;
  const fs::path mark = folder.path() / "pid";
  ASSERT_EQ(::mkfifo(mark.c_str(), 0600), 0);
  const Victim victim([&] {
    std::thread([&] {
      (void)run_process({"sh", "-c", "echo $$ > " + mark.string() + "; exec sleep 1000"}, "");
    }).detach();
  });
  pid_t program = 0;
  std::ifstream(mark) >> program;
  ASSERT_EQ(::kill(program, 0), 0);
  victim.end(SIGKILL);
  wait_for_orphans();  // would wait for the sleep
  EXPECT_NE(::kill(program, 0), 0);
}

}  // namespace
}  // namespace trimtab
