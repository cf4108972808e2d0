// Whatever the bytes are: refused with an Error, or a program that both sets of kernels run to the same result.

#include <cstdlib>

#include "base/error.h"
#include "program/execute.h"
#include "program/program_file.h"

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

std::vector<std::int32_t> run(const trimtab::Program& program, trimtab::Core core) {
  const trimtab::ProgramRunner runner(program, core);
  std::vector<std::uint8_t> input(static_cast<std::size_t>(runner.input_bytes()));
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::uint8_t>(i * 37);
  std::vector<std::int32_t> output(static_cast<std::size_t>(runner.output_elements()));
  runner.run(input, 1, output);
  return output;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const trimtab::Program program = trimtab::decode_program({data, size}, "the input");
    if (is_small(program) && has_small_windows(program) &&
        run(program, trimtab::Core::host) != run(program, trimtab::Core::generic)) {
      std::abort();
    }
  } catch (const trimtab::Error&) {
  }
  return 0;
}
