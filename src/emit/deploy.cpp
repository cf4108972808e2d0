#include "emit/deploy.h"

#include "base/error.h"
#include "base/file.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/source.h"
#include "target/share.h"

namespace trimtab {

Deployment deploy(const Program& program, const Target& target, Optimize optimize, const std::string& name,
                  std::span<const std::uint8_t> inputs, std::span<const std::int32_t> expected,
                  const std::filesystem::path& folder) {
  const Schedule plan = schedule(program, core_of(target), optimize);
  write_sources(program, plan, name, runtime_directory(), folder);

  FirmwareSources sources;
  sources.sources = {folder / (name + ".cpp")};
  sources.include_directories = {folder};
  sources.program_name = name;
  const BuildResult build = build_firmware(sources, target, optimize, folder / "firmware.elf");

  Deployment deployment;
  deployment.image = build.size;
  deployment.arena_bytes = plan.arena_bytes;
  if (inputs.empty()) return deployment;

  const Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
  const Buffer& output = program.buffers[static_cast<std::size_t>(program.output)];
  const EmulatorRun run = run_firmware(build.elf, target, inputs, input.bytes(), output.bytes());
  deployment.stack_bytes = run.stack_bytes;
  deployment.instructions = run.greatest_instructions;
  deployment.samples = static_cast<std::int64_t>(inputs.size()) / input.bytes();

  const runtime::Image image = image_of(program, program.output);
  const auto count = static_cast<std::size_t>(deployment.samples * output.elements());
  if (expected.size() != count)
    throw failure("{} numbers are to be compared with the device's {}", expected.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto element = static_cast<std::int64_t>(i);
    const std::int64_t pixel = element / output.channels;
    const std::uint8_t* const at = run.outputs.data() + pixel * image.pixel_stride;
    if (runtime::load_activation(at, static_cast<std::int32_t>(element % output.channels), image.format) != expected[i])
      ++deployment.mismatches;
  }
  return deployment;
}

std::vector<std::vector<ExecutedBlock>> profile_steps(const Program& program, const Target& target, Optimize optimize,
                                                      std::span<const std::uint8_t> input) {
  const TemporaryDirectory directory;
  const Schedule plan = schedule(program, core_of(target), optimize);
  write_sources(program, plan, "network", runtime_directory(), directory.path());
  FirmwareSources sources;
  sources.sources = {directory.path() / "network.cpp"};
  sources.include_directories = {directory.path()};
  sources.definitions = {"TRIMTAB_PROFILE"};
  sources.program_name = "network";
  const BuildResult build = build_firmware(sources, target, optimize, directory.path() / "firmware.elf");
  auto segments =
      profile_firmware(build.elf, target, input, program.buffers[static_cast<std::size_t>(program.output)].bytes());
  std::vector<std::vector<ExecutedBlock>> steps(program.steps.size());
  std::size_t next = 0;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    if (s > 0 && plan.kernels[s - 1].pooled_rows > 0) continue;
    if (next == segments.size()) throw failure("the emulator's profile has {} steps; there are more", next);
    steps[s] = std::move(segments[next++]);
  }
  return steps;
}

}  // namespace trimtab
