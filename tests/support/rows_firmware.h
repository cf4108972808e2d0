#pragma once

// Convolutions by kernels that work by rows, strip by strip, in one firmware image on an emulated core.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "program/kernels.h"
#include "program/pack.h"
#include "support/row_strips.h"
#include "target/target.h"

namespace trimtab {

/// A convolution of a program, made in strips of `rows` rows by one kernel.
struct RowsCase {
  ConvolutionStep step;
  Kernel kernel;
  std::int64_t scratch_bytes = 0;
  int rows = 1;
  std::vector<std::uint8_t> input;
};

struct RowsRun {
  std::vector<std::vector<std::uint8_t>> outputs;  ///< by case
  std::int64_t instructions = 0;                   ///< of all cases together
  std::int64_t stack_bytes = 0;
  std::vector<std::vector<ExecutedBlock>> blocks;  ///< by case, if asked for
  ImageSize size;
};

namespace detail {

/// Bytes from row to row: rows begin at multiples of 8.
inline std::int64_t row_pitch(const runtime::Image& image) {
  return aligned(std::int64_t{image.width} * image.pixel_stride);
}

/// Copies rows from one distance to another.
inline std::vector<std::uint8_t> with_pitch(std::span<const std::uint8_t> rows, const runtime::Image& image,
                                            std::int64_t from, std::int64_t to) {
  std::vector<std::uint8_t> result(static_cast<std::size_t>(to * image.height));
  for (std::int64_t row = 0; row < image.height; ++row) {
    std::copy_n(rows.begin() + row * from, std::int64_t{image.width} * image.pixel_stride, result.begin() + row * to);
  }
  return result;
}

inline std::string literal(const runtime::Image& i) {
  return fmt::format("{{{}, {}, {}, {}, {{{}, {}}}}}", i.height, i.width, i.channels, i.pixel_stride, i.format.bits,
                     i.format.is_signed);
}

inline std::string source_of(const RowsCase& one, std::size_t index, std::int64_t input_at, std::int64_t output_at) {
  const runtime::Convolution& c = one.step.convolution;
  const runtime::Window& w = c.window;
  const std::vector<std::uint8_t> packed = pack_weights(one.step, one.kernel.layout);
  std::string text =
      fmt::format("namespace case{} {{\nalignas(4) const uint8_t weights[] = {{{}}};\n", index, fmt::join(packed, ","));
  text += fmt::format("const int32_t bias[] = {{{}}};\n", fmt::join(one.step.bias, ","));
  text += fmt::format("const int32_t multiplier[] = {{{}}};\n", fmt::join(one.step.multiplier, ","));
  const bool padded = !one.step.padding_value.empty();
  if (padded) text += fmt::format("const int16_t padding[] = {{{}}};\n", fmt::join(one.step.padding_value, ","));
  text += fmt::format(
      "constexpr Convolution step = {{{}, {}, {{{}, {}, {}, {}, {}, {}, {}, {}}}, {}, {}, {}, {}, {}, {}, weights, "
      "bias, multiplier, {}, {}}};\n",
      literal(c.input), literal(c.output), w.kernel_height, w.kernel_width, w.stride_rows, w.stride_columns,
      w.dilation_rows, w.dilation_columns, w.pad_top, w.pad_left, c.groups, c.weight_bits, c.shift, c.sum_shift,
      c.output_minimum, c.output_maximum, padded ? "padding" : "nullptr", c.output_zero);
  const auto table = [](const char* name, const runtime::Image& image) {
    std::vector<std::int64_t> places;
    for (std::int64_t row = 0; row < image.height; ++row) places.push_back(row * row_pitch(image) / 8);
    return fmt::format("const uint16_t {}[] = {{{}}};\n", name, fmt::join(places, ","));
  };
  text += table("input_rows", c.input) + table("output_rows", c.output);
  text += fmt::format(
      "__attribute__((noinline)) void run() {{\n"
      "  for (int32_t first = 0; first < {0}; first += {1}) {{\n"
      "    const Strip strip = {{first, {0} - first < {1} ? {0} - first : {1}}};\n"
      "    {2}(step, strip, {{inputs + {3}, input_rows, 0}}, {{outputs + {4}, output_rows, 0}}, scratch);\n"
      "  }}\n}}\n}}\n",
      c.output.height, one.rows, one.kernel.name, input_at, output_at);
  return text;
}

}  // namespace detail

/// Runs the cases on the target's board. `profile`: with the blocks that every case executes. `definitions` of the
/// preprocessor: NAME=VALUE.
inline RowsRun run_rows(const std::vector<RowsCase>& cases, const Target& target, Optimize optimize, bool profile,
                        const std::vector<std::string>& definitions = {}) {
  std::string body;
  std::string headers;
  std::string calls;
  std::vector<std::uint8_t> inputs;
  std::int64_t output_bytes = 0;
  std::int64_t scratch_bytes = 8;
  std::vector<std::int64_t> places;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const RowsCase& one = cases[i];
    const runtime::Image& output = one.step.convolution.output;
    headers += fmt::format("#include \"trimtab/{}\"\n", one.kernel.header);
    body += detail::source_of(one, i, std::ssize(inputs), output_bytes);
    calls += fmt::format("  case{0}::run();\n  after({0});\n", i);
    const runtime::Image& input = one.step.convolution.input;
    const std::vector<std::uint8_t> rows =
        detail::with_pitch(one.input, input, std::int64_t{input.width} * input.pixel_stride, detail::row_pitch(input));
    inputs.insert(inputs.end(), rows.begin(), rows.end());
    places.push_back(output_bytes);
    output_bytes += output.height * detail::row_pitch(output);
    scratch_bytes = std::max(scratch_bytes, one.scratch_bytes);
  }
  const std::string source = fmt::format(
      "{}using namespace trimtab::runtime;\n"
      "extern \"C\" void rows_after_layer(int);\n"
      "#if defined(TRIMTAB_PROFILE)\nstatic void after(int i) {{ rows_after_layer(i); }}\n"
      "#else\nstatic void after(int) {{}}\n#endif\n"
      "alignas(8) static uint8_t inputs[{}], outputs[{}], scratch[{}];\n{}"
      "extern \"C\" void* rows_input(void) {{ return inputs; }}\n"
      "extern \"C\" const void* rows_output(void) {{ return outputs; }}\n"
      "extern \"C\" void rows_run(void) {{\n{}}}\n",
      headers, inputs.size(), output_bytes, scratch_bytes, body, calls);

  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "rows.cpp";
  write_file(file, source);
  FirmwareSources sources;
  sources.sources = {file};
  sources.program_name = "rows";
  sources.definitions = definitions;
  Target board = target;
  board.ram_bytes.value = board.flash_bytes.value = 4 << 20;
  const auto build = [&] { return build_firmware(sources, board, optimize, directory.path() / "rows.elf"); };
  const BuildResult plain = build();
  const EmulatorRun run = run_firmware(plain.elf, board, inputs, std::ssize(inputs), output_bytes);
  RowsRun result;
  result.instructions = run.greatest_instructions.front();
  result.stack_bytes = run.stack_bytes;
  result.size = plain.size;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const runtime::Image& output = cases[i].step.convolution.output;
    const std::span<const std::uint8_t> rows = std::span(run.outputs).subspan(static_cast<std::size_t>(places[i]));
    result.outputs.push_back(
        detail::with_pitch(rows, output, detail::row_pitch(output), std::int64_t{output.width} * output.pixel_stride));
  }
  if (profile) {
    sources.definitions.emplace_back("TRIMTAB_PROFILE");
    result.blocks = profile_firmware(build().elf, board, inputs, output_bytes);
  }
  return result;
}

}  // namespace trimtab
