#include "emit/manager_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/file.h"
#include "base/process.h"
#include "support/random_program.h"
#include "support/two_clocks.h"
#include "target/share.h"

// The emitted manager: compiled for this machine it chooses what the figures of clock_costs say, and the compiler of
// the device takes it without heap and library.
namespace trimtab {
namespace {

Program with_two_points() {
  Program program = RandomProgram::make(6);
  program.measure = Measure::top1;
  program.points.resize(2);
  program.points[0].quality = {90.0};
  program.points[1].quality = {85.5};
  for (ProgramPoint& point : program.points) point.energy_nj = 1;
  return program;
}

Target two_clocks() {
  Target target;
  target.name = "mine";
  target.power = test::two_clocks();
  target.power->sleep = Sleep{100, std::nullopt, ""};
  return target;
}

/// The first point takes a million cycles, the second half of them.
Deployment measured() {
  Deployment deployment;
  deployment.point_instructions = {800'000, 400'000};
  deployment.clock_cycles = {{1e6, 1e6, 1e6, 1e6}, {1e6, 1e6, 1e6, 1e6}};
  return deployment;
}

ProcessResult build_with(const std::vector<std::string>& command) {
  const ProcessResult result = run_process(command, "");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  return result;
}

TEST(ManagerSource, ChoosesOnTheDeviceByTheMeasuredFigures) {
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  write_manager(with_two_points(), two_clocks(), measured(), "net", runtime_directory(), folder.path());
  // point 0: 100 ms and 100 uJ at 10 MHz, 10 ms and 300 uJ at 100 MHz; sleep in that time: 10 uJ and 1 uJ; point 1:
  // half
  write_file(path("main.cpp"), R"(#include "net_manager.h"
#include <stdio.h>
static void choose(int floor, int us, int nj) {
  const auto choice = net_choose_setting(floor, us, nj);
  printf("%d@%d%c ", static_cast<int>(choice.point), static_cast<int>(choice.clock), choice.meets_floor ? '+' : '-');
}
int main() {
  choose(9000, 100000, 1000000);
  choose(9000, 99999, 1000000);
  choose(8500, 99999, 1000000);
  choose(8500, 49999, 1000000);
  choose(8500, 4999, 1000000);
  choose(9001, 100000, 90000);
  choose(9000, 100000, 89999);
  choose(9000, 9999, 149500);
  choose(9000, 9999, 149499);
  printf("%u %u", net_clocks_hz[0], net_clocks_hz[1]);
})");
  build_with({"g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I" + folder.path().string(),
              path("main.cpp"), "-o", path("main")});
  EXPECT_EQ(run_process({path("main")}, "").output,
            "0@0+ 0@1+ 1@0+ 1@1+ -1@-1- 0@0- 1@0- 1@1- -1@-1- 10000000 100000000");
}

TEST(ManagerSource, IsFreestanding) {
  if (run_process({"sh", "-c", "command -v arm-none-eabi-g++"}, "").exit_code != 0)
    GTEST_SKIP() << "arm-none-eabi-g++ is not installed";
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  write_manager(with_two_points(), two_clocks(), measured(), "net", runtime_directory(), folder.path());
  write_file(path("main.cpp"),
             "#include \"net_manager.h\"\nextern \"C\" int choose(int floor, int us, int nj) {\n"
             "  return net_choose_setting(floor, us, nj).point;\n}\n");
  build_with({"arm-none-eabi-g++", "-mcpu=cortex-m4", "-mthumb", "-std=c++17", "-O2", "-ffreestanding",
              "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow",
              "-Werror", "-I" + folder.path().string(), "-c", path("main.cpp"), "-o", path("main.o")});
  // it calls nothing
  EXPECT_EQ(build_with({"arm-none-eabi-nm", "-u", path("main.o")}).output, "");
}

TEST(ManagerSource, IsWrittenOnlyWhereThereIsAChoice) {
  const Program program = with_two_points();
  const auto is_written = [&](const Program& one, const Target& target, const Deployment& deployment) {
    const TemporaryDirectory folder;
    write_manager(one, target, deployment, "net", runtime_directory(), folder.path());
    return std::filesystem::exists(folder.path() / "net_manager.h");
  };
  EXPECT_TRUE(is_written(program, two_clocks(), measured()));
  Program single = program;
  single.points.resize(1);
  EXPECT_FALSE(is_written(single, two_clocks(), measured()));
  Target unknown = two_clocks();
  unknown.power.reset();
  EXPECT_FALSE(is_written(program, unknown, measured()));
  Deployment without = measured();
  without.clock_cycles.clear();
  EXPECT_FALSE(is_written(program, two_clocks(), without));
}

}  // namespace
}  // namespace trimtab
