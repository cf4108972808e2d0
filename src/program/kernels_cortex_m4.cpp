#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "program/kernel_choices.h"
#include "trimtab/convolution_2x2_dsp.h"
#include "trimtab/convolution_4x2_dsp.h"
#include "trimtab/convolution_nested_4x2_dsp.h"
#include "trimtab/depthwise_1x4_dsp.h"
#include "trimtab/window_products.h"

namespace trimtab {
namespace {

/// Scratch memory of a convolution with columns of `pixels` pixels, `filters` of whose filters are decoded at a time.
std::int64_t columns_scratch_bytes(const runtime::Convolution& convolution, std::int32_t pixels, std::int32_t filters) {
  return aligned(runtime::convolution_columns_scratch_bytes(convolution, pixels, filters));
}

/// Filters that are decoded at a time: all of a group where their bits need no decoding or the limit allows it, else as
/// many as fit the limit, but at least so many that gathering the columns again for each block stays below a fifth of
/// the work.
std::int32_t filters_per_block(const runtime::Convolution& convolution, std::int32_t pixels,
                               std::int64_t scratch_limit) {
  const std::int32_t filters = convolution.output.channels / convolution.groups;
  if (convolution.weight_bits == 8) return filters;
  constexpr std::int32_t least = 8;
  std::int32_t count = (filters + 1) / 2 * 2;
  while (count > least && columns_scratch_bytes(convolution, pixels, count) > scratch_limit) count -= 2;
  return std::min(count, filters);
}

/// Columns of four pixels, or of two where four do not fit the limit and activations of few bits are to save memory:
/// two cost a quarter more per product.
std::optional<Kernel> choose_convolution(const ConvolutionStep& step, std::int64_t scratch_limit) {
  const runtime::Convolution& convolution = step.convolution;
  const std::int32_t group_channels = convolution.input.channels / convolution.groups;
  const int bits = convolution.input.format.bits;
  if (bits > 8 || (convolution.groups > 1 && group_channels * bits % 8 != 0)) return std::nullopt;
  const std::int32_t filters = convolution.output.channels / convolution.groups;
  std::int32_t pixels = 4;
  std::int32_t block = filters_per_block(convolution, pixels, scratch_limit);
  if (bits < 8 && columns_scratch_bytes(convolution, pixels, block) > scratch_limit) {
    pixels = 2;
    block = filters_per_block(convolution, pixels, scratch_limit);
  }
  Kernel kernel = make_kernel(
      fmt::format("convolution_{}_w{}_{}x2_dsp", name_of(convolution.input.format), convolution.weight_bits, pixels),
      fmt::format("convolution_{}x2_dsp", pixels),
      fmt::format("{} and two filters at a time by SMLAD", pixels == 4 ? "four pixels" : "to save memory, two pixels"));
  kernel.scratch_bytes = columns_scratch_bytes(convolution, pixels, block);
  kernel.layout = {WeightLayout::Kind::columns, block};
  if (convolution.groups == 1 && block >= filters) kernel.overlap_lead_bytes = overlap_lead_bytes(convolution, pixels);
  if (block < filters) {
    kernel.reason += fmt::format(", {} of {} filters decoded at a time", block, filters);
  } else if (convolution.weight_bits < 8) {
    kernel.reason += ", all filters decoded at once";
  }
  return kernel;
}

/// Nested weights are read in place at every precision, by columns of four pixels.
std::optional<Kernel> choose_nested_convolution(const ConvolutionStep& step, unsigned widths) {
  const runtime::Convolution& convolution = step.convolution;
  const std::int32_t filters = convolution.output.channels / convolution.groups;
  if (convolution.input.format.bits != 8 ||
      runtime::convolution_filter_size(convolution) > runtime::nested_most_inputs) {
    return std::nullopt;
  }
  Kernel kernel =
      make_kernel(fmt::format("convolution_{}_nested_4x2_dsp<{:#x}>", name_of(convolution.input.format), widths),
                  "convolution_nested_4x2_dsp", "four pixels and two filters at a time by SMLAD, any precision");
  kernel.scratch_bytes = aligned(runtime::convolution_column_bytes(convolution, 4));
  kernel.layout = {WeightLayout::Kind::columns, filters};
  if (convolution.groups == 1) kernel.overlap_lead_bytes = overlap_lead_bytes(convolution, 4);
  return kernel;
}

std::optional<Kernel> choose_depthwise_1x4(const ConvolutionStep& step, std::int64_t scratch_limit,
                                           std::int32_t strip_rows) {
  const runtime::Convolution& c = step.convolution;
  const runtime::Window& window = c.window;
  if (!is_depthwise(c) || c.groups == 1 || c.input.format.bits > 8 || window.kernel_width > 7 ||
      window.stride_columns > 2 || window.dilation_rows != 1 || window.dilation_columns != 1) {
    return std::nullopt;
  }
  // A band costs a call per channel and the moving of the rows that the next one needs as well: with few rows up to
  // eight instructions per output. Activations of fewer bits halve the arena, so that bands have to be smaller, too.
  constexpr std::int32_t least = 4;
  const std::int64_t small = c.input.format.bits == 8 ? 2560 : 1152;
  std::int32_t rows = std::min<std::int32_t>(c.output.height, strip_rows);
  while (rows > least && aligned(runtime::depthwise_1x4_scratch_bytes(c, rows)) > std::max(scratch_limit, small))
    --rows;
  const bool nested = step.weight_code == WeightCode::nested;
  if (nested && c.input.format.bits != 8) return std::nullopt;
  const bool three = window.kernel_height == 3 && window.kernel_width == 3 && !nested;
  Kernel kernel =
      make_kernel(fmt::format("depthwise_{}{}{}_1x4_dsp", three ? fmt::format("3x3s{}_", window.stride_columns) : "",
                              name_of(c.input.format), nested ? "_nested" : ""),
                  "depthwise_1x4_dsp",
                  fmt::format("depthwise: planes of four channels, {} of {} rows at a time", rows, c.output.height),
                  c.output.pixel_stride == c.input.pixel_stride && c.output.format.bits == c.input.format.bits &&
                      c.output.width <= c.input.width && c.output.height <= c.input.height &&
                      window.pad_top < window.kernel_height);
  kernel.scratch_bytes = aligned(runtime::depthwise_1x4_scratch_bytes(c, rows));
  kernel.layout = {WeightLayout::Kind::depthwise_fours, rows};
  return kernel;
}

/// Pools whose windows the word-wise kernels take: no dilation, 8 or 4 bits.
bool takes_words(const runtime::Image& input, const runtime::Window& window) {
  return (input.format.bits == 8 || input.format.bits == 4) && window.dilation_rows == 1 &&
         window.dilation_columns == 1;
}

std::optional<Kernel> choose_max_pool(const runtime::MaxPool& pool) {
  if (!takes_words(pool.input, pool.window) || pool.output.format.bits != pool.input.format.bits) return std::nullopt;
  return make_pool_kernel(pool, "max_pool_" + name_of(pool.input.format) + "_dsp", "pool_dsp",
                          "sixteen bytes at a time by UQSUB8 and UADD8");
}

std::optional<Kernel> choose_average_pool(const runtime::AveragePool& pool) {
  if (!takes_words(pool.input, pool.window) || pool.window.kernel_width > 127) return std::nullopt;
  return make_pool_kernel(pool, "average_pool_" + name_of(pool.input.format) + "_dsp", "pool_dsp",
                          "words of activations, sums in halves");
}

std::optional<Kernel> choose_addition(const runtime::Addition& addition, bool at_points) {
  const int bits = addition.output.format.bits;
  const auto fits = [&](const runtime::Image& image) {
    return image.format.bits == bits && image.height == addition.output.height && image.width == addition.output.width;
  };
  if ((bits != 8 && bits != 4) || !fits(addition.a) || !fits(addition.b)) return std::nullopt;
  return make_kernel(fmt::format("addition_{}{}_dsp", bits, at_points && bits == 8 ? "_points" : ""), "addition_dsp",
                     "four bytes at a time", addition.a.pixel_stride == addition.output.pixel_stride);
}

}  // namespace

std::optional<Kernel> choose_cortex_m4_kernel(const Step& step, Optimize /*optimize*/, std::int64_t scratch_limit,
                                              std::int32_t strip_rows) {
  if (const auto* convolution = std::get_if<ConvolutionStep>(&step.operation)) {
    std::optional<Kernel> depthwise = choose_depthwise_1x4(*convolution, scratch_limit, strip_rows);
    if (depthwise.has_value()) return depthwise;
    if (convolution->weight_code == WeightCode::nested)
      return choose_nested_convolution(*convolution, bit_widths(step));
    return choose_convolution(*convolution, scratch_limit);
  }
  if (const auto* pool = std::get_if<MaxPoolStep>(&step.operation)) return choose_max_pool(pool->pool);
  if (const auto* pool = std::get_if<AveragePoolStep>(&step.operation)) return choose_average_pool(pool->pool);
  if (const auto* sum = std::get_if<AdditionStep>(&step.operation))
    return choose_addition(sum->addition, !step.points.empty());
  return std::nullopt;
}

}  // namespace trimtab
