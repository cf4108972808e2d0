#include "emit/deploy.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "emit/c_text.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "emit/selftest.h"
#include "emit/source.h"
#include "program/execute.h"
#include "target/share.h"

namespace trimtab {
namespace {

/// Writes the program's sources, which are to be built with a mark after every step where it is to be profiled.
FirmwareSources write_program(const Program& program, const Schedule& schedule, const Target& target,
                              const std::string& name, const std::filesystem::path& folder, bool profile) {
  if (schedule.core != core_of(target)) throw failure("the schedule is for another core than the {}'s", target.name);
  write_sources(program, schedule, recipe_of(target, schedule.optimize), name, runtime_directory(), folder);
  FirmwareSources sources;
  sources.sources = {folder / (name + ".cpp")};
  sources.include_directories = {folder};
  if (profile) sources.definitions = {"TRIMTAB_PROFILE", upper(name) + "_PROFILE"};
  sources.program_name = name;
  sources.points = program.points.size();
  if (schedule.input_form() == InputForm::pushed) sources.pushed_rows = nth(program.buffers, program.input).height;
  return sources;
}

/// Runs the image's sources on the small board of an Armv6-M, where there is one and they fit it: outputs.
std::optional<std::vector<std::uint8_t>> run_on_small_board(FirmwareSources sources, const Target& target,
                                                            Optimize optimize, std::span<const std::uint8_t> inputs,
                                                            std::int64_t input_bytes, std::int64_t output_bytes) {
  const std::optional<Target> board = small_board(target);
  if (!board.has_value()) return std::nullopt;
  const TemporaryDirectory directory;
  const auto points = static_cast<std::int64_t>(sources.points);
  try {
    const BuildResult image = build_firmware(sources, *board, optimize, directory.path() / "small.elf");
    return run_firmware(image.elf, *board, inputs, input_bytes, output_bytes, points).outputs;
  } catch (const Error& error) {
    if (error.code() == ExitCode::bound_not_met) return std::nullopt;  // too large
    throw;
  }
}

}  // namespace

std::size_t Deployment::dearest_point() const {
  return static_cast<std::size_t>(std::ranges::max_element(point_instructions) - point_instructions.begin());
}

std::int64_t Deployment::instructions() const {
  return point_instructions.empty() ? 0 : point_instructions[dearest_point()];
}

std::vector<std::int32_t> host_outputs(const Program& program, std::span<const std::uint8_t> inputs,
                                       std::int64_t samples) {
  const Schedule host = schedule(program, Core::host);
  std::vector<std::int32_t> outputs;
  for (std::size_t point = 0; point < program.points.size(); ++point) {
    const ProgramRunner runner(program, host, point);
    const std::size_t begin = outputs.size();
    outputs.resize(begin + static_cast<std::size_t>(samples * runner.output_elements()));
    runner.run(inputs, samples, std::span(outputs).subspan(begin));
  }
  return outputs;
}

std::vector<std::int32_t> device_numbers(const Program& program, std::span<const std::uint8_t> output) {
  const runtime::Image image = image_of(program, program.output);
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(nth(program.buffers, program.output).elements()));
  for (std::int64_t i = 0; i < std::ssize(numbers); ++i) {
    const std::uint8_t* const pixel = output.data() + i / image.channels * image.pixel_stride;
    nth(numbers, i) = runtime::load_activation(pixel, static_cast<std::int32_t>(i % image.channels), image.format);
  }
  return numbers;
}

Deployment deploy(const Program& program, const Schedule& schedule, const Target& target, const std::string& name,
                  std::span<const std::uint8_t> inputs, std::span<const std::int32_t> expected,
                  const std::filesystem::path& folder) {
  const FirmwareSources sources = write_program(program, schedule, target, name, folder, false);
  const BuildResult image = build_firmware(sources, target, schedule.optimize, folder / "firmware.elf");
  Deployment deployment;
  deployment.image = image.size;
  deployment.arena_bytes = schedule.arena_bytes;
  if (inputs.empty()) return deployment;

  const Buffer& input = nth(program.buffers, program.input);
  const Buffer& output = nth(program.buffers, program.output);
  const std::size_t points = program.points.size();
  const EmulatorRun run =
      run_firmware(image.elf, target, inputs, input.bytes(), output.bytes(), static_cast<std::int64_t>(points));
  deployment.stack_bytes = run.stack_bytes;
  write_header(program, schedule, recipe_of(target, schedule.optimize), name, MeasuredRun{run.stack_bytes, run.pushes},
               folder);
  if (schedule.input_form() == InputForm::pushed) deployment.pushes = run.pushes;
  deployment.point_instructions = run.greatest_instructions;
  deployment.samples = std::ssize(inputs) / input.bytes();

  const auto samples = static_cast<std::size_t>(deployment.samples);
  const auto elements = static_cast<std::size_t>(output.elements());
  if (expected.size() != points * samples * elements) {
    throw failure("{} numbers are to be compared with the device's {}", expected.size(), points * samples * elements);
  }
  const auto output_bytes = static_cast<std::size_t>(output.bytes());
  for (std::size_t i = 0; i < samples; ++i) {
    for (std::size_t k = 0; k < points; ++k) {
      const std::vector<std::int32_t> numbers =
          device_numbers(program, std::span(run.outputs).subspan((i * points + k) * output_bytes, output_bytes));
      const auto wanted = expected.subspan((k * samples + i) * elements, elements);
      for (std::size_t e = 0; e < elements; ++e) deployment.mismatches += numbers[e] != wanted[e] ? 1 : 0;
    }
  }
  const auto small = run_on_small_board(sources, target, schedule.optimize, inputs, input.bytes(), output.bytes());
  if (small.has_value()) {
    deployment.armv6m_samples = deployment.samples;
    if (*small != run.outputs) throw failure("the program answers otherwise on an emulated Armv6-M than on an Armv7-M");
  }
  write_file(folder / (name + "_selftest.cpp"),
             selftest_source(program, name, schedule.input_form(), {inputs, run.outputs}));
  return deployment;
}

std::vector<std::vector<ExecutedBlock>> profile_steps(const Program& program, const Schedule& schedule,
                                                      const Target& target, std::span<const std::uint8_t> input,
                                                      std::size_t point) {
  const TemporaryDirectory directory;
  const FirmwareSources sources = write_program(program, schedule, target, "network", directory.path(), true);
  const BuildResult image = build_firmware(sources, target, schedule.optimize, directory.path() / "firmware.elf");
  auto segments = profile_firmware(image.elf, target, input, nth(program.buffers, program.output).bytes(),
                                   static_cast<std::int64_t>(point));
  // the harness makes a mark before every push, too; before the first of them nothing is kept
  const std::size_t marks = schedule.operations.size() + (schedule.pushes.empty() ? 0 : schedule.pushes.size() - 1);
  if (segments.size() < marks) throw failure("the emulator's profile has {} steps; there are more", segments.size());
  std::vector<std::vector<ExecutedBlock>> steps(program.steps.size());
  std::size_t push = 0;
  for (std::size_t i = 0; i < schedule.operations.size(); ++i) {
    while (push < schedule.pushes.size() && schedule.pushes[push] == i) ++push;
    const std::vector<ExecutedBlock>& segment = segments[i + push];
    std::vector<ExecutedBlock>& step = steps[schedule.operations[i].step];
    step.insert(step.end(), segment.begin(), segment.end());
  }
  return steps;
}

}  // namespace trimtab
