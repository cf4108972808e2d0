#include "program/kernel_cost.h"

#include <algorithm>
#include <array>

#include "program/kernel_cost_terms.h"
#include "trimtab/convolution_columns_dsp.h"
#include "trimtab/depthwise_words_dsp.h"

namespace trimtab {
namespace {

/// To decode a weight of fewer than 8 bits (weight_planes.h), by bits.
constexpr std::array<Each, 9> decoding{
    {{0, 0}, {0, 0}, {1.45, 1.6}, {2.1, 2.5}, {1.45, 1.6}, {2.1, 2.5}, {2.1, 2.5}, {2.95, 3.4}, {0, 0}}};
/// To decode nine words of a depthwise convolution and those of the groups around them.
constexpr std::array<Each, 9> decoding_nine{
    {{0, 0}, {0, 0}, {90, 107}, {137, 147}, {90, 107}, {137, 147}, {137, 147}, {190, 218}, {0, 0}}};

/// Kernel rows of output rows that lie inside the image, and those that do not.
struct WindowRows {
  double inside = 0, outside = 0;
};
WindowRows kernel_rows(const runtime::Convolution& c, std::int32_t first, std::int32_t rows) {
  WindowRows counted;
  for (std::int32_t y = first; y < first + rows; ++y) {
    for (std::int32_t i = 0; i < c.window.kernel_height; ++i) {
      const std::int32_t row = y * c.window.stride_rows - c.window.pad_top + i * c.window.dilation_rows;
      (row >= 0 && row < c.input.height ? counted.inside : counted.outside) += 1;
    }
  }
  return counted;
}
/// Rows of the input that lie inside, each counted once.
double input_rows(const runtime::Convolution& c, std::int32_t first, std::int32_t rows) {
  const std::int32_t top = first * c.window.stride_rows - c.window.pad_top;
  const std::int32_t end = top + (rows - 1) * c.window.stride_rows + c.window.kernel_height;
  return std::max(std::min<std::int32_t>(end, c.input.height) - std::max(top, 0), 0);
}

/// By columns of four pixels. Nested weights need no decoding, but a mask for every word, a longer tail, and the sums
/// of the activations.
StripCost columns_cost(const runtime::Convolution& c, bool nested, std::int32_t filters_per_block, std::int32_t first,
                       std::int32_t rows) {
  const runtime::ColumnLayout layout = runtime::column_layout(c);
  const runtime::Window& window = c.window;
  const std::int32_t filters = c.output.channels / c.groups;
  const double filter_pairs = parts(filters, 2);
  const double passes = c.groups * parts(filters, std::max(filters_per_block, 1));
  const double pairs = layout.pairs();
  const double row_pairs = double(layout.run_pairs) * layout.runs_per_row;
  const std::int32_t channels = c.input.channels / c.groups;
  const std::int32_t reach = (window.kernel_width - 1) * window.dilation_columns;
  double inside = 0;
  const std::int32_t row_blocks = c.output.width / 4;
  for (std::int32_t block = 0; block < row_blocks; ++block) {
    const std::int32_t left = 4 * block * window.stride_columns - window.pad_left;
    if (left >= 0 && left + 3 * window.stride_columns + reach < c.input.width) ++inside;
  }
  const double edge = row_blocks - inside;
  const WindowRows taps = kernel_rows(c, first, rows);
  const double blocks = double(row_blocks) * rows;
  const double rest = double(c.output.width % 4) * rows;
  const bool aligned_taps = channels % 4 == 0 || window.kernel_width == 1;
  const bool bytes = !aligned_taps && layout.runs_per_row == 1 && layout.run_length <= 32;

  CostSum gathering;  // for each pass over the pixels
  gathering.add(1, {181, 240});
  gathering.add(rows, {69, 92});
  gathering.add(blocks, {131, 226});
  gathering.add(inside * taps.inside, {68, 110});
  gathering.add(inside * taps.inside * row_pairs, {9.7, 15.2});
  gathering.add(row_blocks * taps.outside * row_pairs, {3.0, 7.7});
  if (aligned_taps) {
    gathering.add(edge * taps.inside * window.kernel_width, {119, 161});
    gathering.add(edge * taps.inside * row_pairs, {10.5, 16.2});
  } else if (bytes) {
    gathering.add(edge * taps.inside, {668, 629});
    gathering.add(edge * taps.inside * row_pairs, {23.2, 60});
  } else {
    gathering.add(edge * taps.inside * window.kernel_width * channels, {77.7, 98.2});
  }
  gathering.add(rest * window.kernel_height, {112, 167});
  gathering.add(rest * pairs, {3.6, 5.6});
  CostSum multiplying;  // of all groups
  multiplying.add(blocks * filter_pairs, nested ? Each{102, 145} : Each{56, 75});
  multiplying.add(blocks * filter_pairs * pairs, nested ? Each{14, 19} : Each{13, 18});
  if (nested) {
    multiplying.add(blocks, {62, 100});
    multiplying.add(blocks * pairs, {5, 9});
  }
  multiplying.add(blocks * filter_pairs * parts(layout.pairs(), 16), {3, 7});
  multiplying.add(blocks * (filters % 2), {213, 400});
  multiplying.add(rest * filter_pairs, {86, 138});
  multiplying.add(rest * filter_pairs * pairs, {8.7, 10.7});
  if (!nested) multiplying.add(filter_pairs * pairs * 4, decoding[c.weight_bits]);
  CostSum all;
  all.add(passes, {gathering.cost().instructions, gathering.cost().cycles});
  all.add(c.groups, {multiplying.cost().instructions, multiplying.cost().cycles});
  return all.cost();
}

/// F(2,3), F(4,3) and F(4,5).
StripCost winograd_cost(const runtime::Convolution& c, bool nested, std::int32_t tile_rows, std::int32_t rows) {
  const auto by_form = [&](const Each& of_2_3, const Each& of_4_3, const Each& of_4_5) {
    return c.window.kernel_height == 5 ? of_4_5 : tile_rows == 4 ? of_4_3 : of_2_3;
  };
  const std::int32_t kernel = c.window.kernel_height;
  const double points = tile_rows + kernel - 1;
  const double tiles = parts(rows, tile_rows);
  const double filter_pairs = parts(c.output.channels, 2);
  const double quads = parts(c.input.channels, 4);
  const double pairs = kernel * quads * 2;  // of two filters in a kernel row
  const double segment = parts(c.output.width, 4);
  const double columns = c.output.width + kernel - 1.0;
  CostSum sum;
  sum.add(1 + tiles, by_form({99, 133}, {76, 105}, {174, 377}));
  sum.add(filter_pairs, by_form({77, 138}, {78, 133}, {160, 178}));
  sum.add(filter_pairs * pairs, by_form({27.1, 31.0}, {43.1, 46.9}, {118, 128}));
  if (nested) {
    sum.add(filter_pairs * pairs, by_form({24.3, 23.5}, {25.1, 22}, {48.1, 52.4}));
    sum.add(tiles * c.output.channels * c.output.width, by_form({8, 13.1}, {16.3, 28.4}, {19.2, 29.5}));
  } else {
    sum.add(filter_pairs * runtime::column_layout(c).pairs() * 4, decoding[c.weight_bits]);
  }
  if (c.input.channels % 4 != 0) {
    const double taps = filter_pairs * kernel * kernel;
    sum.add(taps, {47.4, 77.2});
    sum.add(taps * c.input.channels, {33.4, 37.3});
    sum.add(tiles * columns * (c.input.channels % 4), {30.5, 49.4});
  }
  sum.add(tiles * columns, by_form({90, 127}, {128, 181}, {151, 213}));
  sum.add(tiles * columns * quads, by_form({30.7, 34.7}, {91.5, 104.5}, {220, 286}));
  sum.add(tiles * 2 * quads, by_form({98, 153.5}, {150.7, 226.8}, {350, 482}));
  sum.add(tiles * filter_pairs, by_form({66, 108}, {86, 162}, {100, 151}));
  const double blocks = tiles * filter_pairs * segment;
  sum.add(blocks, by_form({130.6, 239.6}, {155.6, 293.8}, {194, 401}));
  sum.add(blocks * points * pairs, {11, 17});
  sum.add(blocks * points * parts(static_cast<std::int64_t>(pairs) - 1, 8), {3, 6});
  sum.add(tiles * c.output.channels * c.output.width, by_form({23.4, 31.2}, {50.8, 67.3}, {61.4, 74.5}));
  return sum.cost();
}

/// Words of padding and image that a strip of a depthwise convolution needs of four channels.
double depthwise_words_of(const runtime::Convolution& c, std::int32_t rows) {
  return double((rows - 1) * c.window.stride_rows + 3) * runtime::depthwise_words_plane_row(c);
}

StripCost depthwise_words_cost(const runtime::Convolution& c, std::int32_t first, std::int32_t rows) {
  const double fours = parts(c.output.channels, 4);
  const double inputs = input_rows(c, first, rows);
  const double copied = std::min<double>(c.input.width, runtime::depthwise_words_plane_row(c) - c.window.pad_left);
  CostSum sum;
  sum.add(depthwise_words_of(c, rows), {4.7, 8.4});
  sum.add(fours, {88, 160});
  sum.add(fours, decoding_nine[c.weight_bits]);
  sum.add(fours * inputs, {51, 58});
  sum.add(fours * inputs * copied, {4.9, 6.7});
  sum.add(fours * rows, {28, 68});
  sum.add(fours * rows * parts(c.output.width, 2), {176, 246});
  return sum.cost();
}

/// Planes of four channels, by bands. Where rows follow each other, one call makes all of a channel's in a band.
StripCost depthwise_planes_cost(const runtime::Convolution& c, std::int32_t band, std::int32_t first, std::int32_t rows,
                                bool is_dense) {
  const double fours = parts(c.output.channels, 4);
  const double inputs = input_rows(c, first, rows);
  CostSum sum;
  sum.add(1, {6, 246});
  sum.add(depthwise_words_of(c, rows), {7.5, 11.3});
  const double bands = parts(rows, std::max(band, 1));
  sum.add(fours * bands, {400, 600});
  sum.add(fours, {624, 983});
  if (c.weight_bits < 8) sum.add(fours, {567, 702});
  sum.add(fours * inputs, {101, 165});
  sum.add(fours * inputs * c.input.width, {12.1, 13.4});
  const double lines = 4 * fours * rows;
  sum.add(lines, {44.5, 69});
  sum.add(is_dense ? 4 * fours * bands : lines, {58, 90});  // calls
  sum.add(lines * (c.output.width / 4), {71.1, 98.9});
  sum.add(lines * (c.output.width % 4 > 0 ? 1 : 0), {47, 64});
  return sum.cost();
}

}  // namespace

std::optional<StripCost> cost_of_strip(const Step& step, const Kernel& kernel, Core core, std::int32_t first,
                                       std::int32_t rows, bool is_dense) {
  const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
  if (convolution == nullptr || convolution->convolution.input.format.bits != 8) return std::nullopt;
  const runtime::Convolution& c = convolution->convolution;
  const bool nested = convolution->weight_code == WeightCode::nested;
  if (kernel.header == "convolution_winograd_dsp.h") {
    return winograd_cost(c, nested, kernel.name.find("winograd2") != std::string::npos ? 2 : 4, rows);
  }
  if (kernel.header.starts_with("convolution_winograd_4x4_"))
    return cost_of_winograd_4x4_strip(*convolution, core, rows);
  if (kernel.header == "convolution_4x2_dsp.h" || kernel.header == "convolution_nested_4x2_dsp.h") {
    return columns_cost(c, nested, kernel.layout.parameter, first, rows);
  }
  if (kernel.header == "depthwise_words_dsp.h") return depthwise_words_cost(c, first, rows);
  if (kernel.header == "depthwise_1x4_dsp.h" && kernel.name.find("3x3") != std::string::npos) {
    return depthwise_planes_cost(c, kernel.layout.parameter, first, rows, is_dense);
  }
  if (core == Core::rv32imc) return cost_of_rv32_strip(*convolution, kernel, first, rows);
  return cost_of_m3_strip(*convolution, kernel, core, first, rows);
}

}  // namespace trimtab
