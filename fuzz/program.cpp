// Whatever the bytes are: refused with an Error, or a program that both sets of kernels run to the same result at every
// operating point. So that no corpus is needed, an even first byte means: take the random program of that number, with
// one to three operating points, and overwrite bytes of it, the rest of the input being positions (2 bytes) and values.

#include <cstdlib>

#include "base/error.h"
#include "program/execute.h"
#include "program/program_file.h"
#include "support/random_program.h"

namespace {

/// Small enough to run thousands of times a second.
bool is_small(const trimtab::Program& program) {
  std::int64_t work = 0;
  for (const trimtab::Step& step : program.steps) work += step.multiply_accumulates();
  for (const trimtab::Buffer& buffer : program.buffers) work += buffer.elements();
  return work < 1'000'000 && program.steps.size() < 64;
}

/// Windows of pools are not counted above: here they are.
bool has_small_windows(const trimtab::Program& program) {
  for (const trimtab::Step& step : program.steps) {
    trimtab::runtime::Window window{};
    if (const auto* max = std::get_if<trimtab::MaxPoolStep>(&step.operation)) window = max->pool.window;
    if (const auto* average = std::get_if<trimtab::AveragePoolStep>(&step.operation)) window = average->pool.window;
    if (std::int64_t{window.kernel_height} * window.kernel_width > 1024) return false;
  }
  return true;
}

std::vector<std::int32_t> run(const trimtab::Program& program, const trimtab::Schedule& schedule, std::size_t point) {
  const trimtab::ProgramRunner runner(program, schedule, point);
  std::vector<std::uint8_t> input(static_cast<std::size_t>(runner.input_bytes()));
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::uint8_t>(i * 37);
  std::vector<std::int32_t> output(static_cast<std::size_t>(runner.output_elements()));
  runner.run(input, 1, output);
  return output;
}

std::vector<std::uint8_t> altered_program(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> bytes = trimtab::encode_program(trimtab::RandomProgram::make(data[0], 1 + data[0] / 2 % 3));
  for (std::size_t i = 1; i + 3 <= size; i += 3) {
    const auto position = static_cast<std::size_t>(data[i] | data[i + 1] << 8);
    bytes[position % bytes.size()] = data[i + 2];
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    const std::vector<std::uint8_t> bytes =
        data[0] % 2 == 0 ? altered_program(data, size) : std::vector<std::uint8_t>(data + 1, data + size);
    const trimtab::Program program = trimtab::decode_program(bytes, "the input");
    if (!is_small(program) || !has_small_windows(program) || program.points.size() > 4) return 0;
    const trimtab::Schedule host = schedule(program, trimtab::Core::host);
    const trimtab::Schedule generic = schedule(program, trimtab::Core::generic);
    for (std::size_t point = 0; point < program.points.size(); ++point) {
      if (run(program, host, point) != run(program, generic, point)) std::abort();
    }
  } catch (const trimtab::Error&) {
  }
  return 0;
}
