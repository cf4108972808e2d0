#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/index.h"
#include "base/process.h"
#include "emit/deploy.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/hand_over.h"
#include "emit/machine.h"
#include "emit/package/package.h"
#include "emit/recipe.h"
#include "program/program_file.h"
#include "support/random_program.h"

namespace trimtab {

inline void execute(const std::vector<std::string>& command) {
  const ProcessResult result = run_process(command, "install the packages cmake and gcc-arm-none-eabi");
  ASSERT_EQ(result.exit_code, 0) << command.front() << ": " << result.output.substr(0, 2000)
                                 << result.errors.substr(0, 3000);
}

/// Names of the targets that run images without an operating system.
inline std::vector<std::string> microcontrollers() {
  std::vector<std::string> names = target_names();
  std::erase_if(names,
                [](const std::string& name) { return traits_of(load_target(name).processor).toolchain->is_linux; });
  return names;
}

inline std::string name_of_setting(Optimize setting) { return setting == Optimize::speed ? "speed" : "size"; }

/// A folder as fit leaves it.
class HandedOver {
 public:
  HandedOver(const std::string& target_name, Optimize optimize, Program network = RandomProgram::make(11),
             InputForm form = InputForm::whole)
      : target(load_target(target_name)), setting(optimize), program(std::move(network)), random_(1) {
    const RandomSample sample(program, random_);
    input = sample.bytes;
    measured = deploy(program, schedule(program, core_of(target), optimize, {}, form), target, "net", input,
                      host_outputs(program, input, 1), out() / "device");
    const nlohmann::ordered_json result = {
        {"flash_bytes", measured.flash_bytes()},   {"ram_bytes", measured.ram_bytes()},
        {"arena_bytes", measured.arena_bytes},     {"stack_bytes", measured.stack_bytes},
        {"instructions", measured.instructions()}, {"latency_lower_ms", 1.5}};
    write_file(folder_.path() / "model", "a network");
    save_program(program, out() / "program.bin");
    write_hand_over({"net", folder_.path() / "model", {}, result, measured}, program, target, optimize,
                    out() / "device");
  }
  [[nodiscard]] std::filesystem::path out() const { return folder_.path() / "out"; }
  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  /// The package of that kind, which is made at the first call.
  [[nodiscard]] std::filesystem::path package(const std::string& kind) const {
    if (!std::filesystem::exists(path(kind))) make_package(out(), kind, path(kind));
    return path(kind);
  }
  [[nodiscard]] std::vector<std::string> core_flags() const { return recipe_of(target, setting).core_flags; }

  /// The image of objects that a build left answers as the host does and, where `same`, is the measured one: its sizes,
  /// its stack and its instructions.
  void expect_image(const std::string& form, const std::vector<std::filesystem::path>& objects, bool same) const {
    SCOPED_TRACE(form);
    FirmwareSources sources;
    sources.sources = objects;
    sources.program_name = "net";
    if (measured.pushes.has_value()) sources.pushed_rows = nth(program.buffers, program.input).height;
    const BuildResult built = build_firmware(sources, target, setting, path("package.elf"));
    const EmulatorRun run = run_firmware(built.elf, target, input, std::ssize(input),
                                         program.buffers[static_cast<std::size_t>(program.output)].bytes());
    EXPECT_EQ(device_numbers(program, run.outputs), host_outputs(program, input, 1));
    record(form, built.size.flash(), run.greatest_instructions.front(), run.stack_bytes);
    // The harness keeps the end of its stack in a register that a function must save before it uses it.
    EXPECT_LE(run.stack_bytes, 4 * measured.stack_bytes);
    if (!same) return;
    EXPECT_EQ(built.size.text, measured.image.text);
    EXPECT_EQ(built.size.rodata, measured.image.rodata);
    EXPECT_EQ(built.size.data, measured.image.data);
    EXPECT_EQ(built.size.bss, measured.image.bss);
    EXPECT_EQ(run.stack_bytes, measured.stack_bytes);
    // The board's counter ticks once in more than one instruction: the count of the same run may differ by that much.
    EXPECT_NEAR(static_cast<double>(run.greatest_instructions.front()), static_cast<double>(measured.instructions()),
                2);
  }

  /// For scripts/results-handover.
  static void record(const std::string& form, std::int64_t flash, std::int64_t instructions, std::int64_t stack) {
    testing::Test::RecordProperty(form, fmt::format("{} {} {}", flash, instructions, stack));
  }

  Target target;
  Optimize setting;
  Program program;
  std::vector<std::uint8_t> input;
  Deployment measured;

 private:
  TemporaryDirectory folder_;
  Random random_;
};

}  // namespace trimtab
