#include "emit/emulator.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <sstream>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/installation.h"
#include "base/process.h"
#include "emit/machine.h"

namespace trimtab {
namespace {

// -icount shift=7. It is more than two ticks of the slowest counter, 62.5 ns each: a difference of two readings is off
// by less than a tick, and so the number of instructions is exact.
constexpr std::int64_t nanoseconds_per_instruction = 1 << 7;

/// First words of inputs.bin (firmware/harness.cpp).
struct Header {
  std::uint32_t runs, input_bytes, output_bytes, first_point;
};
/// The beginning of report.bin; the most ticks of every operating point follow where there are several.
struct Report {
  std::uint32_t samples, least_ticks, most_ticks, stack_bytes, longest_push, last_push;
};

void check_exit(const ImageRun& run, const Target& target) {
  if (run.exit_code == 0) return;
  if (run.exit_code == 125) throw failure("the program faults on the emulated {}", target.emulated_board);
  if (run.exit_code == 3) {
    throw failure("the stack of the program runs into its data: {} has too little RAM for it", target.name);
  }
  throw failure("the emulated {} ends with exit code {}: {}", target.emulated_board, run.exit_code,
                run.output.substr(0, 300));
}

/// Every sample `points` times in a row.
void write_inputs(const std::filesystem::path& directory, std::span<const std::uint8_t> inputs, std::int64_t samples,
                  std::int64_t points, std::int64_t output_bytes, std::int64_t first_point) {
  const std::size_t bytes = inputs.size() / static_cast<std::size_t>(samples);
  const Header header{static_cast<std::uint32_t>(samples * points), static_cast<std::uint32_t>(bytes),
                      static_cast<std::uint32_t>(output_bytes), static_cast<std::uint32_t>(first_point)};
  std::vector<std::uint8_t> file(sizeof header);
  std::memcpy(file.data(), &header, sizeof header);
  for (std::size_t sample = 0; sample < static_cast<std::size_t>(samples); ++sample) {
    const auto one = inputs.subspan(sample * bytes, bytes);
    for (std::int64_t point = 0; point < points; ++point) file.insert(file.end(), one.begin(), one.end());
  }
  write_file(directory / "inputs.bin", file);
}

/// As plugin/execution_profile.cpp writes it; the first segment is what comes before the run.
std::vector<std::vector<ExecutedBlock>> parse_profile(const std::string& text) {
  std::vector<std::vector<ExecutedBlock>> segments;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == "segment") {
      segments.emplace_back();
      continue;
    }
    ExecutedBlock block;
    std::istringstream fields(line);
    fields >> std::hex >> block.address >> std::dec >> block.bytes >> block.runs >> block.entered >> block.left >>
        block.flash_lines;
    for (std::int64_t& misses : block.flash_misses) fields >> misses;
    fields >> std::hex;
    for (std::uint32_t opcode = 0; fields >> opcode;) block.opcodes.push_back(opcode);
    if (segments.empty() || block.opcodes.empty()) throw failure("the emulator's profile cannot be read: {}", line);
    segments.back().push_back(std::move(block));
  }
  if (!segments.empty()) segments.erase(segments.begin());
  return segments;
}

/// Runs the image with a plugin that writes `file`.
ImageRun run_with_plugin(const std::filesystem::path& elf, const Target& target, const std::filesystem::path& directory,
                         std::chrono::milliseconds limit, const std::filesystem::path& built,
                         const std::filesystem::path& file, const std::string& arguments = {}) {
  const std::filesystem::path plugin = installed_or_built(built);
  // an emulator of processes reads symbols only where it writes a log
  const bool is_linux = traits_of(target.processor).toolchain->is_linux;
  std::vector<std::string> options;
  if (is_linux) options = {"-d", "plugin", "-D", "/dev/null"};
  options.insert(options.end(), {"-plugin", plugin.string() + ",out=" + file.string() + arguments});
  ImageRun run = run_image(elf, target, directory, limit, options);
  if (is_linux && run.output.starts_with("Log items")) {  // without plugins, it lists the items that -d knows
    throw failure("{} is built without plugins and cannot count instructions; Debian 12's package has plugins",
                  machine_of(target).emulator);
  }
  if (!std::filesystem::exists(file)) {
    throw failure("{} does not load the plugin {}: {}", machine_of(target).emulator, plugin.string(),
                  run.output.substr(0, 300));
  }
  return run;
}

/// Instructions of every run or push of the harness, of which the plugin wrote the counts before and after. Two marks
/// with nothing between them come first.
std::vector<std::int64_t> parse_counts(const std::string& text) {
  std::vector<std::int64_t> runs;
  std::istringstream numbers(text);
  for (std::int64_t begin = 0, end = 0; numbers >> begin >> end;) runs.push_back(end - begin);
  if (runs.empty()) throw failure("the emulator counted no instructions");
  const std::int64_t nothing = runs.front();
  runs.erase(runs.begin());
  for (std::int64_t& run : runs) run -= nothing;
  return runs;
}

/// Of all samples at all points, in the order in which the harness runs them; each may be several pushes.
void add_counts(EmulatorRun& run, const std::vector<std::int64_t>& counts, std::int64_t runs, std::int64_t points) {
  const std::size_t pushes = counts.size() / static_cast<std::size_t>(runs);
  run.greatest_instructions.assign(static_cast<std::size_t>(points), 0);
  run.least_instructions = INT64_MAX;
  for (std::size_t i = 0; i < static_cast<std::size_t>(runs); ++i) {
    const std::span<const std::int64_t> own = std::span(counts).subspan(i * pushes, pushes);
    const std::int64_t sum = std::reduce(own.begin(), own.end());
    std::int64_t& most = run.greatest_instructions[i % static_cast<std::size_t>(points)];
    most = std::max(most, sum);
    run.least_instructions = std::min(run.least_instructions, sum);
    run.pushes.longest = std::max(run.pushes.longest, *std::ranges::max_element(own));
    run.pushes.last = std::max(run.pushes.last, own.back());
  }
}

}  // namespace

std::int64_t instructions_of_ticks(const Target& target, std::int64_t ticks) {
  const std::int64_t ticks_in_ten_seconds = machine_of(target).counter_hz * 10;
  const std::int64_t instructions_in_ten_seconds = 10'000'000'000 / nanoseconds_per_instruction;
  return (ticks * instructions_in_ten_seconds + ticks_in_ten_seconds / 2) / ticks_in_ten_seconds;
}

ImageRun run_image(const std::filesystem::path& elf, const Target& target, const std::filesystem::path& directory,
                   std::chrono::milliseconds limit, const std::vector<std::string>& arguments) {
  const Machine& machine = machine_of(target);
  const ProcessorTraits& traits = traits_of(target.processor);
  const std::string image = std::filesystem::absolute(elf).string();
  std::vector<std::string> command{std::string(machine.emulator)};
  const auto add = [&](const std::vector<std::string>& more) {
    command.insert(command.end(), more.begin(), more.end());
  };
  if (traits.toolchain->is_linux) {
    add({"-cpu", std::string(traits.emulated_as)});
    add(arguments);
    add({image});
  } else {
    add({"-M", std::string(machine.name), "-icount", "shift=7", "-semihosting-config", "enable=on,target=native",
         "-display", "none", "-monitor", "none", "-serial", "none", "-kernel", image});
    for (const std::string_view argument : machine.arguments) {
      if (!argument.empty()) command.emplace_back(argument);
    }
    add(arguments);
  }
  const ProcessResult result =
      run_process(command, fmt::format("install the package {}", machine.package), limit, directory);
  if (result.timed_out) {
    throw failure("the program did not end within {} s on the emulated {}",
                  std::chrono::duration_cast<std::chrono::seconds>(limit).count(), target.emulated_board);
  }
  return {result.exit_code, result.output + result.errors};
}

std::vector<std::vector<ExecutedBlock>> profile_firmware(const std::filesystem::path& elf, const Target& target,
                                                         std::span<const std::uint8_t> input, std::int64_t output_bytes,
                                                         std::int64_t point, std::chrono::milliseconds limit) {
  const TemporaryDirectory directory;
  write_inputs(directory.path(), input, 1, 1, output_bytes, point);
  const std::filesystem::path file = directory.path() / "profile.txt";
  std::string arguments;
  if (const std::optional<FlashCache>& cache = target.flash_cache; cache.has_value()) {
    arguments = fmt::format(",instruction_lines={},data_lines={},line_bytes={},read_bytes={}", cache->instruction_lines,
                            cache->data_lines, cache->line_bytes, target.flash_read_bytes.value);
  }
  const ImageRun run = run_with_plugin(elf, target, directory.path(), limit, TRIMTAB_PROFILE_PLUGIN, file, arguments);
  check_exit(run, target);
  return parse_profile(read_text(file, std::int64_t{1} << 30));
}

EmulatorRun run_firmware(const std::filesystem::path& elf, const Target& target, std::span<const std::uint8_t> inputs,
                         std::int64_t input_bytes, std::int64_t output_bytes, std::int64_t points,
                         std::chrono::milliseconds limit) {
  const auto samples = static_cast<std::int64_t>(inputs.size()) / input_bytes;
  const TemporaryDirectory directory;
  write_inputs(directory.path(), inputs, samples, points, output_bytes, 0);
  const bool by_plugin = machine_of(target).counter_hz == 0;
  const std::filesystem::path counts = directory.path() / "counts.txt";
  check_exit(by_plugin ? run_with_plugin(elf, target, directory.path(), limit, TRIMTAB_COUNT_PLUGIN, counts)
                       : run_image(elf, target, directory.path(), limit),
             target);

  EmulatorRun run;
  run.outputs = read_file(directory.path() / "outputs.bin");
  const std::vector<std::uint8_t> report_bytes = read_file(directory.path() / "report.bin");
  Report report{};
  std::vector<std::uint32_t> ticks(points > 1 ? static_cast<std::size_t>(points) : 0);
  if (report_bytes.size() != sizeof report + ticks.size() * sizeof(std::uint32_t) ||
      static_cast<std::int64_t>(run.outputs.size()) != samples * points * output_bytes) {
    throw failure("the emulated {} wrote too few results", target.emulated_board);
  }
  std::memcpy(&report, report_bytes.data(), sizeof report);
  run.stack_bytes = report.stack_bytes;
  if (by_plugin) {
    add_counts(run, parse_counts(read_text(counts, std::int64_t{1} << 30)), samples * points, points);
    return run;
  }
  std::memcpy(ticks.data(), report_bytes.data() + sizeof report, ticks.size() * sizeof(std::uint32_t));
  if (points == 1) ticks.push_back(report.most_ticks);
  for (const std::uint32_t most : ticks) run.greatest_instructions.push_back(instructions_of_ticks(target, most));
  run.least_instructions = instructions_of_ticks(target, report.least_ticks);
  run.pushes.longest = instructions_of_ticks(target, report.longest_push);
  run.pushes.last = instructions_of_ticks(target, report.last_push);
  return run;
}

}  // namespace trimtab
