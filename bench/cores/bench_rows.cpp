// Instructions and estimated cycles of a core's kernels for 3x3 convolutions by rows, on three layers of ResNet-8 or on
// depthwise layers of MobileNetV1 and of DS-CNN:
//     bench_rows [TARGET] [--bits B] [--nested] [--size] [--chained] [--depthwise] [--rows N]

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>

#include "base/error.h"
#include "base/units.h"
#include "emit/recipe.h"
#include "program/row_kernels.h"
#include "support/rows_firmware.h"
#include "target/cycles.h"

namespace trimtab {
namespace {

/// A 3x3 convolution of bytes with as many filters as channels.
Step layer(int height, int width, int channels, int stride, bool depthwise, int weight_bits, bool nested) {
  ProgramBuilder b(1, nested ? 2 : 1);
  b.program.input = b.add_buffer(height, width, channels, {1, 8, false});
  ConvolutionShape shape;
  shape.outputs = channels;
  shape.kernel_height = shape.kernel_width = 3;
  shape.stride_rows = shape.stride_columns = stride;
  shape.pad_bottom = shape.pad_right = 1;
  if (stride == 1) shape.pad_top = shape.pad_left = 1;
  if (depthwise) shape.groups = channels;
  b.convolution(b.program.input, shape, {1, 8, false}, weight_bits);
  Step step = program_at(b.finish(-1), 0).steps[0];
  auto& c = std::get<ConvolutionStep>(step.operation).convolution;
  c.weight_bits = static_cast<std::uint8_t>(weight_bits);
  c.shift = 0;
  c.output_minimum = 0;
  c.output_maximum = 255;
  return step;
}

void print(const ConvolutionStep& step, const Target& target, Optimize optimize, const Kernel& kernel,
           std::int64_t scratch_bytes, int rows, const std::vector<std::string>& definitions) {
  const runtime::Convolution& c = step.convolution;
  RowsCase one{step, kernel, scratch_bytes, rows, {}};
  Random random(1);
  for (int i = 0; i < c.input.height * c.input.width * c.input.pixel_stride; ++i) {
    one.input.push_back(static_cast<std::uint8_t>(random.bits()));
  }
  const RowsRun run = run_rows({one}, target, optimize, true, definitions);
  const double outputs = double(c.output.channels) * c.output.height * c.output.width;
  const double products = 9.0 * c.input.channels / c.groups * outputs;
  const auto cycles = estimate_cycles(run.blocks.front(), target);
  fmt::print(
      "{:2}x{:<2}x{:<3} {:35} strips of {:2}: {:>9} instructions, {:.3f} per MAC, {:5.1f} per output; "
      "{:>9} cycles, {:.3f} per MAC ({:.3f} without waits); scratch {:>6}, stack {:>3}, text {:>5}\n",
      c.output.height, c.output.width, c.output.channels, kernel.name, rows, format_count(run.instructions),
      double(run.instructions) / products, double(run.instructions) / outputs,
      format_count(std::llround(cycles->expected)), cycles->expected / products, cycles->without_waits / products,
      scratch_bytes, run.stack_bytes, run.size.text);
  std::fflush(stdout);
}

/// All kernels for a layer, in strips of so many rows at most; 0: of a tile.
void print_all(const Step& step, const Target& target, Optimize optimize, int strip,
               const std::vector<std::string>& definitions) {
  const auto& convolution = std::get<ConvolutionStep>(step.operation);
  const int height = convolution.convolution.output.height;
  const Kernel usual = choose_kernel(step, core_of(target), optimize, 1 << 20);
  print(convolution, target, optimize, usual, usual.scratch_bytes, strip == 0 ? height : std::min(strip, height),
        definitions);
  for (const RowKernel& kernel : row_kernels(step, core_of(target))) {
    const int rows = std::min(strip == 0 ? std::max(kernel.tile_rows, 1) : strip, height);
    print(convolution, target, optimize, kernel.kernel, kernel.scratch_bytes(rows), rows, definitions);
  }
}

int run(std::span<char*> arguments) {
  Target target = load_target("stm32f412");
  Optimize optimize = Optimize::speed;
  int bits = 8;
  bool depthwise = false;
  bool nested = false;
  int strip = 0;
  std::vector<std::string> definitions;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string argument = arguments[i];
    if (argument == "--chained") {
      definitions = {"TRIMTAB_CHAINED_LOADS=1"};
    } else if (argument == "--depthwise") {
      depthwise = true;
    } else if (argument == "--nested") {
      nested = true;
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
  if (depthwise) {
    struct Shape {
      int height, width, channels, stride;
    };
    for (const Shape& s : {Shape{48, 48, 8, 1},
                           {48, 48, 16, 2},
                           {24, 24, 32, 1},
                           {24, 24, 32, 2},
                           {12, 12, 64, 1},
                           {12, 12, 64, 2},
                           {6, 6, 128, 1},
                           {6, 6, 128, 2},
                           {3, 3, 256, 1},
                           {25, 5, 64, 1}}) {
      print_all(layer(s.height, s.width, s.channels, s.stride, true, bits, nested), target, optimize, strip,
                definitions);
    }
    return 0;
  }
  for (const auto& [size, channels] : {std::pair{32, 16}, {16, 32}, {8, 64}}) {
    print_all(layer(size, size, channels, 1, false, bits, nested), target, optimize, strip, definitions);
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
