// What `trimtab validate` refuses: ports that are none, boards that are none, folders that are none.

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>

#include "base/file.h"
#include "data/npy.h"
#include "program/program_file.h"
#include "support/command.h"
#include "support/program_builder.h"
#include "support/pseudo_terminal.h"

namespace trimtab {
namespace {

class ValidateErrors : public testing::Test {
 protected:
  void SetUp() override {
#ifndef TRIMTAB_COMMAND
    GTEST_SKIP() << "the command is not built";
#endif
    ProgramBuilder builder(1);
    builder.program.input = builder.add_buffer(2, 2, 3, {1, 8, false});
    const BufferId answer = builder.convolution(builder.program.input, square(4, 2, 2, 2), {1, 8, true}, 8);
    make_directory(out());
    save_program(builder.finish(answer), out() / "program.bin");
    write_npy(folder_.path() / "x.npy", {3, 3, 2, 2}, std::vector<std::uint8_t>(36));
  }
  [[nodiscard]] std::filesystem::path out() const { return folder_.path() / "out"; }
  void expect_validate_refused(const std::string& port, const std::string& words, int code = 2,
                               std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"validate", out().string(), "--port", port, "--data",
                               "npy:" + (folder_.path() / "x.npy").string(), "--unlabelled", "--timeout", "0.01"});
    expect_refused(more, words, code);
    EXPECT_FALSE(std::filesystem::exists(out() / "validation.json"));
  }

  TemporaryDirectory folder_;
};

TEST_F(ValidateErrors, PortsThatAreNone) {
  expect_validate_refused((folder_.path() / "ttyNONE").string(), "ttyNONE cannot be opened: No such file or directory");
  expect_validate_refused((folder_.path() / "x.npy").string(), "x.npy is no serial port; give a device such as");
  expect_validate_refused("/dev/null", "/dev/null is no serial port");
  expect_validate_refused("/dev/null", "--baud", 2, {"--baud", "115201"});
  expect_validate_refused("/dev/null", "--timeout", 2, {"--timeout", "-1"});
  expect_validate_refused("/dev/null", "--point is 1; the program has 1 operating points", 2, {"--point", "1"});
}

TEST_F(ValidateErrors, FoldersThatAreNone) {
  std::filesystem::remove(out() / "program.bin");
  expect_validate_refused("/dev/null", "has no program.bin; give a folder that fit or scale made");
}

TEST_F(ValidateErrors, ABoardThatAnswersNothing) {
  const PseudoTerminal line;
  expect_validate_refused(line.path(), "nothing answers at " + line.path() + "; check the line and --baud", 1);
}

TEST_F(ValidateErrors, ABoardThatAnswersNonsense) {
  const PseudoTerminal line;
  std::array<int, 2> stop{};
  ASSERT_EQ(::pipe(stop.data()), 0);
  std::thread board([&] {  // another firmware: it greets whoever writes
    for (;;) {
      std::array<pollfd, 2> files{pollfd{line.end(), POLLIN, 0}, pollfd{stop[0], POLLIN, 0}};
      if (::poll(files.data(), files.size(), -1) < 0 || files[1].revents != 0) return;
      std::array<char, 256> request{};
      if (::read(line.end(), request.data(), request.size()) <= 0) return;
      constexpr std::string_view greeting("\0unknown command\r\n> \0", 21);
      if (::write(line.end(), greeting.data(), greeting.size()) < 0) return;
    }
  });
  expect_validate_refused(line.path(), "bytes that are no answer; check --baud", 1);
  ::close(stop[1]);
  board.join();
  ::close(stop[0]);
}

}  // namespace
}  // namespace trimtab
