#include "program/row_kernels.h"

#include <fmt/format.h>

#include <utility>

#include "program/kernel_choices.h"
#include "program/overflow.h"
#include "trimtab/convolution_s32_4x2_m3.h"
#include "trimtab/convolution_winograd_4x4_dsp.h"
#include "trimtab/convolution_winograd_4x4_m3.h"
#include "trimtab/depthwise_words_dsp.h"

namespace trimtab {
namespace {

/// What Winograd's kernels take on a core.
struct Winograd {
  const char* core;  ///< in names
  WeightLayout layout;
  std::int32_t (*scratch_bytes)(const runtime::Convolution& step, std::int32_t tile_rows, std::int32_t rows);
  std::int32_t (*scratch_bytes_4x4)(const runtime::Convolution& step, std::int32_t rows);
};

Winograd winograd_of(const runtime::Convolution& convolution, Core core) {
  if (core == Core::cortex_m4) {
    return {"dsp",
            {WeightLayout::Kind::columns, convolution.output.channels},
            runtime::convolution_winograd_scratch_bytes,
            runtime::convolution_winograd_4x4_scratch_bytes};
  }
  return {"m3",
          {WeightLayout::Kind::pairs, runtime::convolution_s32_4x2_m3_padded_size(convolution)},
          runtime::convolution_winograd_m3_scratch_bytes,
          runtime::convolution_winograd_4x4_m3_scratch_bytes};
}

/// Whether a condition holds at all precisions of a step.
template <typename Condition>
bool at_all_widths(unsigned widths, Condition condition) {
  for (int bits = 2; bits <= 8; ++bits) {
    if (runtime::has_bit_width(widths, bits) && !condition(bits)) return false;
  }
  return true;
}

/// Winograd's F(2,3), F(4,3) and F(4x4,3x3), or F(4,5), with the weights as the core's usual convolution has them.
void add_winograd(std::vector<RowKernel>& kernels, const ConvolutionStep& step, unsigned widths, Core core) {
  const runtime::Convolution& convolution = step.convolution;
  if (!runtime::winograd_takes(convolution) || !padding_is_bytes(step)) return;
  const bool nested = step.weight_code == WeightCode::nested;
  const Winograd winograd = winograd_of(convolution, core);
  const int size = convolution.window.kernel_height;
  // the first layer of ResNet-8 gained nothing on the Cortex-M4 and took 0.8 KB of code
  if (core == Core::cortex_m4 && size == 3 && convolution.input.channels % 4 != 0) return;
  const auto add = [&](const std::string& tile, const char* header, std::string reason, std::int32_t tile_rows,
                       std::function<std::int64_t(std::int32_t rows)> scratch_bytes) {
    RowKernel made;
    made.kernel =
        make_kernel(fmt::format("convolution_{}_{}_winograd{}_{}", name_of(convolution.input.format),
                                nested ? "nested" : fmt::format("w{}", convolution.weight_bits), tile, winograd.core),
                    fmt::format("{}_{}", header, winograd.core), std::move(reason));
    made.kernel.layout = winograd.layout;
    made.tile_rows = tile_rows;
    made.kernel.reads_before_writing = true;
    made.scratch_bytes = std::move(scratch_bytes);
    made.kernel.scratch_bytes = made.scratch_bytes(convolution.output.height);
    kernels.push_back(std::move(made));
  };
  for (const int tile_rows : {2, 4}) {
    if (size == 5 && tile_rows == 2) continue;
    if (!at_all_widths(widths, [&](int bits) { return winograd_is_exact(step, bits, tile_rows); })) continue;
    add(fmt::format("{}{}", tile_rows, size == 5 ? "_5x5" : ""), "convolution_winograd",
        fmt::format("F({},{}) along the columns, {} products for {}", tile_rows, size, tile_rows + size - 1,
                    size * tile_rows),
        tile_rows, [=](std::int32_t rows) { return aligned(winograd.scratch_bytes(convolution, tile_rows, rows)); });
  }
  if (!runtime::winograd_4x4_takes(convolution)) return;
  if (!at_all_widths(widths, [&](int bits) { return winograd_4x4_is_exact(step, bits); })) return;
  add("4x4", "convolution_winograd_4x4", "F(4x4,3x3), 36 products for 144", 4,
      [=](std::int32_t rows) { return aligned(winograd.scratch_bytes_4x4(convolution, rows)); });
}

/// Depthwise convolutions from words of four channels.
void add_depthwise_words(std::vector<RowKernel>& kernels, const ConvolutionStep& step) {
  const runtime::Convolution& c = step.convolution;
  if (step.weight_code != WeightCode::integer || !runtime::depthwise_words_takes(c) || !padding_is_bytes(step)) return;
  RowKernel made;
  made.kernel = make_kernel(
      fmt::format("depthwise_3x3s{}_{}_w{}_words_dsp", c.window.stride_columns, name_of(c.input.format), c.weight_bits),
      "depthwise_words_dsp", "depthwise: two outputs of four channels at a time, from the pixels' words",
      c.output.pixel_stride == c.input.pixel_stride && c.output.format.bits == 8 && c.output.width <= c.input.width &&
          c.output.height <= c.input.height && c.window.pad_top < c.window.kernel_height);
  made.kernel.layout.kind = WeightLayout::Kind::depthwise_words;
  made.scratch_bytes = [c](std::int32_t rows) { return aligned(runtime::depthwise_words_scratch_bytes(c, rows)); };
  made.kernel.scratch_bytes = made.scratch_bytes(c.output.height);
  kernels.push_back(made);
}

}  // namespace

std::vector<RowKernel> row_kernels(const Step& step, Core core) {
  std::vector<RowKernel> kernels;
  const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
  if (convolution == nullptr) return kernels;
  if (core == Core::cortex_m4 || core == Core::cortex_m3 || core == Core::cortex_m0 || core == Core::rv32imc) {
    add_winograd(kernels, *convolution, bit_widths(step), core);
  }
  if (core == Core::cortex_m4) add_depthwise_words(kernels, *convolution);
  return kernels;
}

}  // namespace trimtab
