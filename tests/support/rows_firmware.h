#pragma once

// Convolutions by kernels that work by rows, strip by strip, in one firmware image on an emulated core.

#include <fmt/format.h>
#include <fmt/ranges.h>

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
  std::string kernel, header;
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

inline std::string literal(const runtime::Image& i) {
  return fmt::format("{{{}, {}, {}, {}, {{{}, {}}}}}", i.height, i.width, i.channels, i.pixel_stride, i.format.bits,
                     i.format.is_signed);
}

inline std::string source_of(const RowsCase& one, std::size_t index, std::int64_t input_at, std::int64_t output_at) {
  const runtime::Convolution& c = one.step.convolution;
  const runtime::Window& w = c.window;
  const std::vector<std::uint8_t> packed = pack_weights(one.step, {WeightLayout::Kind::columns, c.output.channels});
  std::string text =
      fmt::format("namespace case{} {{\nalignas(4) const uint8_t weights[] = {{{}}};\n", index, fmt::join(packed, ","));
  text += fmt::format("const int32_t bias[] = {{{}}};\n", fmt::join(one.step.bias, ","));
  text += fmt::format("const int32_t multiplier[] = {{{}}};\n", fmt::join(one.step.multiplier, ","));
  const bool padded = !one.step.padding_value.empty();
  if (padded) text += fmt::format("const int16_t padding[] = {{{}}};\n", fmt::join(one.step.padding_value, ","));
  text += fmt::format(
      "constexpr Convolution step = {{{}, {}, {{{}, {}, {}, {}, {}, {}, {}, {}}}, {}, {}, {}, {}, {}, {}, weights, "
      "bias, multiplier, {}}};\n",
      literal(c.input), literal(c.output), w.kernel_height, w.kernel_width, w.stride_rows, w.stride_columns,
      w.dilation_rows, w.dilation_columns, w.pad_top, w.pad_left, c.groups, c.weight_bits, c.shift, c.sum_shift,
      c.output_minimum, c.output_maximum, padded ? "padding" : "nullptr");
  text += fmt::format(
      "__attribute__((noinline)) void run() {{\n"
      "  for (int32_t first = 0; first < {0}; first += {1}) {{\n"
      "    const Strip strip = {{first, {0} - first < {1} ? {0} - first : {1}}};\n"
      "    {2}(step, strip, {{inputs + {3}, nullptr, {4}}}, {{outputs + {5}, nullptr, {6}}}, scratch);\n"
      "  }}\n}}\n}}\n",
      c.output.height, one.rows, one.kernel, input_at, c.input.width * c.input.pixel_stride, output_at,
      c.output.width * c.output.pixel_stride);
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
    headers += fmt::format("#include \"trimtab/{}\"\n", one.header);
    body += detail::source_of(one, i, std::ssize(inputs), output_bytes);
    calls += fmt::format("  case{0}::run();\n  after({0});\n", i);
    inputs.insert(inputs.end(), one.input.begin(), one.input.end());
    inputs.resize((inputs.size() + 7) / 8 * 8);
    places.push_back(output_bytes);
    output_bytes += aligned(std::int64_t{output.height} * output.width * output.pixel_stride);
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
    const auto begin = run.outputs.begin() + places[i];
    result.outputs.emplace_back(begin, begin + output.height * output.width * output.pixel_stride);
  }
  if (profile) {
    sources.definitions.emplace_back("TRIMTAB_PROFILE");
    result.blocks = profile_firmware(build().elf, board, inputs, output_bytes);
  }
  return result;
}

}  // namespace trimtab
