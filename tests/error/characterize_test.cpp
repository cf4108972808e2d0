#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/process.h"
#include "support/command.h"

// The refusals of `trimtab characterize`, word for word; whatever it refuses, it leaves nothing behind.
namespace trimtab {
namespace {

class CharacterizeErrors : public testing::Test {
 protected:
  [[nodiscard]] std::string out() const { return (folder_.path() / "out").string(); }
  void expect(std::vector<std::string> arguments, const std::string& words, int exit_code = 2) const {
    arguments.insert(arguments.begin(), "characterize");
    arguments.insert(arguments.end(), {"-o", out()});
    expect_refused(arguments, words, exit_code);
    EXPECT_FALSE(std::filesystem::exists(out()));
  }
  TemporaryDirectory folder_;
};

TEST_F(CharacterizeErrors, BrokenLibrary) {
  const std::string path = (folder_.path() / "broken.lib").string();
  expect({"--liberty", path}, path);  // not there
  write_file(path, "library (x) {\n  cell (INV) {\n");
  expect({"--liberty", path}, "is not Liberty: line 3 should have '}' of cell");
  write_file(path, "library (x) { capacitive_load_unit (1, ff); nom_voltage : 1; }");
  expect({"--liberty", path}, "has no inverter, which synthesis needs");
}

TEST_F(CharacterizeErrors, NoYosys) {
  // A search path without programs.
  const std::string before = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
  ::setenv("PATH", folder_.path().c_str(), 1);
  expect({}, "yosys is not installed; install the package yosys, or use the tables in targets/accelerators");
  ::setenv("PATH", before.c_str(), 1);
}

TEST_F(CharacterizeErrors, TooLittleTime) {
  if (!has_program("yosys")) GTEST_SKIP() << "yosys is not installed";
  expect({"--time-limit", "0.001"}, "yosys did not map serial_mac within", 1);
}

TEST_F(CharacterizeErrors, ProgramsAndData) {
  expect({"--data", "cifar10:nowhere"}, "--data needs a program");
  const std::string path = (folder_.path() / "program.bin").string();
  write_file(path, "no program");
  expect({path}, "give --data");
  expect({path, "--data", "cifar10:nowhere"}, path);
  expect({"--mac", "parallel"}, "--mac");
  expect({"--macs", "1"}, "--macs");
}

}  // namespace
}  // namespace trimtab
