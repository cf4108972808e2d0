// Instructions and estimated cycles of the kernels that make convolutions by rows, on three layers of ResNet-8:
//     bench_rows [TARGET] [--bits B] [--size] [--chained] [--rows N]

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>

#include "base/error.h"
#include "base/units.h"
#include "support/rows_firmware.h"
#include "target/cycles.h"
#include "trimtab/convolution_winograd_dsp.h"

namespace trimtab {
namespace {

/// A 3x3 convolution of bytes with as many filters as channels.
ConvolutionStep layer(int size, int channels, int weight_bits) {
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(size, size, channels, {1, 8, false});
  b.convolution(b.program.input, square(channels, 3, 1, size), {1, 8, false}, weight_bits);
  auto step = std::get<ConvolutionStep>(b.finish(-1).steps[0].operation);
  step.convolution.shift = 0;
  step.convolution.output_minimum = 0;
  step.convolution.output_maximum = 255;
  return step;
}

void print(const ConvolutionStep& step, const Target& target, Optimize optimize, int tile_rows, int rows,
           const std::vector<std::string>& definitions) {
  const runtime::Convolution& c = step.convolution;
  RowsCase one;
  one.step = step;
  one.kernel = fmt::format("convolution_u8_w{}_winograd{}_dsp", c.weight_bits, tile_rows);
  one.header = "convolution_winograd_dsp.h";
  one.rows = rows;
  one.scratch_bytes = runtime::convolution_winograd_scratch_bytes(c, tile_rows, rows);
  Random random(1);
  for (int i = 0; i < c.input.height * c.input.width * c.input.pixel_stride; ++i) {
    one.input.push_back(static_cast<std::uint8_t>(random.bits()));
  }
  const RowsRun run = run_rows({one}, target, optimize, true, definitions);
  const double products = 9.0 * c.input.channels * c.output.channels * c.output.height * c.output.width;
  const auto cycles = estimate_cycles(run.blocks.front(), target);
  fmt::print(
      "{:2}x{:<2}x{:<2} F({},3) strips of {:2}: {:>9} instructions, {:.3f} per MAC; {:>9} cycles, {:.3f} per MAC "
      "({:.3f} without waits); scratch {:>6}, stack {:>3}, text {:>5}\n",
      c.output.height, c.output.width, c.output.channels, tile_rows, rows, format_count(run.instructions),
      double(run.instructions) / products, format_count(std::llround(cycles->expected)), cycles->expected / products,
      cycles->without_waits / products, one.scratch_bytes, run.stack_bytes, run.size.text);
  std::fflush(stdout);
}

int run(std::span<char*> arguments) {
  Target target = load_target("stm32f412");
  Optimize optimize = Optimize::speed;
  int bits = 8;
  int strip = 0;
  std::vector<std::string> definitions;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string argument = arguments[i];
    if (argument == "--chained") {
      definitions = {"TRIMTAB_CHAINED_LOADS=1"};
    } else if (argument == "--size") {
      optimize = Optimize::size;
    } else if (argument == "--bits") {
      bits = std::stoi(arguments[++i]);
    } else if (argument == "--rows") {
      strip = std::stoi(arguments[++i]);
    } else {
      target = load_target(argument);
    }
  }
  for (const auto& [size, channels] : {std::pair{32, 16}, {16, 32}, {8, 64}}) {
    const ConvolutionStep step = layer(size, channels, bits);
    for (const int tile_rows : {2, 4}) {
      print(step, target, optimize, tile_rows, strip == 0 ? tile_rows : std::min(strip, size), definitions);
    }
  }
  return 0;
}

}  // namespace
}  // namespace trimtab

int main(int count, char** arguments) {
  try {
    return trimtab::run({arguments, static_cast<std::size_t>(count)});
  } catch (const trimtab::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
