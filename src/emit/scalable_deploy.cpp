#include "emit/scalable_deploy.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/scalable_source.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "target/share.h"

namespace trimtab {
namespace {

/// The integers of one output as the device writes it.
std::vector<std::int32_t> unpack(std::span<const std::uint8_t> bytes, const runtime::Image& image) {
  std::vector<std::int32_t> result;
  const int stride = runtime::pixel_bytes(image.channels, image.format.bits);
  for (int pixel = 0; pixel < image.height * image.width; ++pixel) {
    for (int c = 0; c < image.channels; ++c) {
      result.push_back(
          runtime::load_activation(bytes.data() + static_cast<std::ptrdiff_t>(pixel) * stride, c, image.format));
    }
  }
  return result;
}

void append(std::vector<std::uint8_t>& bytes, std::uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(word >> shift));
}

}  // namespace

ScalableDeployment deploy_scalable(const ScalableProgram& scalable, const Target& target,
                                   const std::vector<runtime::PointSummary>& summaries, const std::string& name,
                                   const Dataset& samples, const std::filesystem::path& folder) {
  const std::size_t points = scalable.points.size();
  write_scalable_sources(scalable, schedule_point(scalable.program, core_of(target)), summaries, name,
                         runtime_directory(), folder);
  FirmwareSources sources;
  sources.sources = {folder / (name + ".cpp"), firmware_directory() / "points_harness.cpp"};
  sources.include_directories = {folder};
  sources.definitions = {"TRIMTAB_NAME=" + name};
  const BuildResult build = build_firmware(sources, target, Optimize::speed, folder / "firmware.elf");

  ScalableDeployment result;
  result.image = build.size;
  result.samples = samples.size();
  result.point_bytes = point_bytes(scalable);
  const Buffer& input = scalable.program.buffers[static_cast<std::size_t>(scalable.program.input)];
  const Buffer& output = scalable.program.buffers[static_cast<std::size_t>(scalable.program.output)];
  const std::vector<std::uint8_t> converted = convert_samples(scalable.program, samples);
  std::vector<std::uint8_t> file;
  for (const std::int64_t word : {samples.size(), input.bytes(), output.bytes(), static_cast<std::int64_t>(points)}) {
    append(file, static_cast<std::uint32_t>(word));
  }
  for (std::int64_t i = 0; i < samples.size(); ++i) {
    const auto sample = std::span(converted).subspan(static_cast<std::size_t>(i * input.bytes()),
                                                     static_cast<std::size_t>(input.bytes()));
    for (std::size_t run = 0; run < 2 * points; ++run) file.insert(file.end(), sample.begin(), sample.end());
  }
  write_file(folder / "inputs.bin", file);
  const ImageRun run = run_image(build.elf, target, folder, std::chrono::minutes(60));
  if (run.exit_code != 0) throw failure("the image ended with {} in the emulator: {}", run.exit_code, run.output);
  const std::vector<std::uint8_t> outputs = read_file(folder / "outputs.bin");
  const std::vector<std::uint8_t> report = read_file(folder / "report.bin");
  const auto runs = static_cast<std::size_t>(samples.size()) * points * 2;
  if (outputs.size() != runs * static_cast<std::size_t>(output.bytes()) || report.size() != runs * 4) {
    throw failure("the emulator wrote {} bytes of outputs for {} runs", outputs.size(), runs);
  }
  const auto ticks = [&](std::size_t index) {
    std::uint32_t word = 0;
    std::memcpy(&word, report.data() + index * 4, 4);
    return static_cast<std::int64_t>(word);
  };
  result.instructions.assign(points, 0);
  const auto count = static_cast<std::size_t>(samples.size());
  for (std::size_t k = 0; k < points; ++k) {
    const Program program = program_at(scalable, k);
    const ProgramRunner runner(program, schedule_point(program, Core::host));
    std::vector<std::int32_t> expected(count * static_cast<std::size_t>(runner.output_elements()));
    runner.run(converted, samples.size(), expected);
    const runtime::Image image = image_of(program, program.output);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t twice = 0; twice < 2; ++twice) {
        const std::size_t index = (i * points + k) * 2 + twice;
        const std::vector<std::int32_t> got =
            unpack(std::span(outputs).subspan(index * static_cast<std::size_t>(output.bytes()),
                                              static_cast<std::size_t>(output.bytes())),
                   image);
        for (std::size_t o = 0; o < got.size(); ++o)
          result.mismatches += got[o] != expected[i * got.size() + o] ? 1 : 0;
      }
      const std::size_t first = (i * points + k) * 2;
      result.instructions[k] = std::max(result.instructions[k], instructions_of_ticks(target, ticks(first + 1)));
      result.switch_instructions =
          std::max(result.switch_instructions, instructions_of_ticks(target, ticks(first) - ticks(first + 1)));
    }
  }
  for (const char* scratch : {"inputs.bin", "outputs.bin", "report.bin"}) std::filesystem::remove(folder / scratch);
  return result;
}

}  // namespace trimtab
