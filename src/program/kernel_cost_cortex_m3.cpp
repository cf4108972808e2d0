// The kernels of cores that multiply one product at a time.

#include <algorithm>
#include <array>

#include "base/index.h"
#include "program/kernel_cost_terms.h"

namespace trimtab {
namespace {

/// Of convolution_winograd_m3.h.
struct WinogradFactors {
  Each strip, filter_pair, tile;
  Each column, column_quad;  ///< of a tile's inputs, and four channels of it
  Each seam;                 ///< of two segments, by pair of channels
  Each tile_filters, block, output, nested_output;
  Each pair;                      ///< of channels, at a point of a block
  std::array<Each, 9> weights{};  ///< of two filters for two channels, by bits; 0: nested
  /// Where channels are no multiple of four: of two filters the taps, and their channels with 8 bits and with fewer;
  /// the last channels of a column.
  Each spread_tap{}, spread_byte{}, spread{}, last_channel{};
};

/// Of convolution_s32_4x2_m3.h and convolution_nested_4x2_m3.h.
struct BlockFactors {
  Each strip, block;
  Each inside_row, inside;  ///< rows of the kernel where the windows are inside the image, and their numbers
  Each edge_tap, edge;      ///< taps where they are not, and their numbers
  Each pair, product;       ///< filters of four pixels, and numbers that they meet
  Each odd, odd_product;    ///< a filter without a partner
  Each rest_pair, rest_product, rest_output;  ///< where fewer than four pixels are left
  std::array<Each, 9> decoding{};             ///< what a product takes more, by bits
  Each pixel_block{}, pixel{};                ///< in place of the rows above where windows are single pixels
};

/// Of depthwise_3x3_rows_m3.h.
struct DepthwiseFactors {
  Each strip, line, call;         ///< line: a row of outputs
  Each row, byte, padding;        ///< copied rows, their bytes, and bytes of padding
  Each unpacking;                 ///< a weight of fewer than 8 bits
  std::array<Each, 2> four, two;  ///< outputs of a channel, by the stride
  Each one;
};
constexpr DepthwiseFactors depthwise_rows{.strip = {60.7, 41.5},
                                          .line = {51.7, 116},
                                          .call = {44.3, 74.3},
                                          .row = {98.5, 163},
                                          .byte = {0.81, 1.19},
                                          .padding = {0.526, 1.14},
                                          .unpacking = {12.5, 15.8},
                                          .four = {{{113, 194}, {125, 217}}},
                                          .two = {{{59.2, 106}, {64.7, 111}}},
                                          .one = {35.5, 61.3}};

struct Factors {
  WinogradFactors two, four, five;  ///< F(2,3), F(4,3), F(4,5)
  BlockFactors block, nested;
};

constexpr Factors cortex_m3{
    .two = {.strip = {409, 590},
            .filter_pair = {115, 191},
            .tile = {0, 59.1},
            .column = {83.6, 119},
            .column_quad = {44.4, 49.2},
            .seam = {90.1, 139},
            .tile_filters = {103, 164},
            .block = {163, 295},
            .output = {30.5, 46.9},
            .nested_output = {39.3, 60.5},
            .pair = {24.5, 51},
            .weights = {{{101, 110},
                         {0, 0},
                         {81, 91.1},
                         {75.2, 84.7},
                         {75.3, 84.7},
                         {75.5, 84.8},
                         {75.5, 85.9},
                         {76.8, 87.7},
                         {63.2, 71.6}}},
            .spread_tap = {17.6, 23.6},
            .spread_byte = {9.16, 16.4},
            .spread = {25.2, 35.2},
            .last_channel = {15.1, 30.3}},
    .four = {.strip = {463, 574},
             .filter_pair = {102, 208},
             .tile = {0, 0},
             .column = {114, 172},
             .column_quad = {88.5, 96.5},
             .seam = {126, 212},
             .tile_filters = {170, 240},
             .block = {194, 375},
             .output = {56.2, 87.4},
             .nested_output = {92.8, 134},
             .pair = {24.5, 51},
             .weights = {{{126, 137},
                          {0, 0},
                          {108, 121},
                          {102, 113},
                          {102, 114},
                          {102, 114},
                          {102, 114},
                          {103, 115},
                          {89.8, 101}}},
             .spread_tap = {17.7, 21.1},
             .spread_byte = {9.48, 16},
             .spread = {25.5, 35.3},
             .last_channel = {24.4, 41.6}},
    .five =
        {.strip = {294, 646},
         .filter_pair = {109, 61.1},
         .tile = {0, 0},
         .column = {165, 233},
         .column_quad = {179, 223},
         .seam = {372, 529},
         .tile_filters = {231, 367},
         .block = {192, 396},
         .output = {98.7, 142},
         .nested_output = {110, 164},
         .pair = {24.6, 51},
         .weights =
             {{{256, 285}, {0, 0}, {212, 242}, {216, 247}, {211, 247}, {217, 251}, {217, 251}, {216, 252}, {194, 218}}},
         .spread_tap = {18.8, 21.5},
         .spread_byte = {8.95, 15},
         .spread = {25, 34.6},
         .last_channel = {17.6, 28}},
    .block = {.strip = {316, 553},
              .block = {336, 538},
              .inside_row = {40, 46.3},
              .inside = {6.99, 13.5},
              .edge_tap = {110, 157},
              .edge = {5.24, 10.6},
              .pair = {77.5, 129},
              .product = {12.4, 25.9},
              .odd = {124, 226},
              .odd_product = {12.5, 26.2},
              .rest_pair = {110, 213},
              .rest_product = {12.6, 26.4},
              .rest_output = {9.35, 15.9},
              .decoding = {{{0, 0},
                            {0, 0},
                            {1.26, 1.25},
                            {1.24, 1.31},
                            {1.28, 1.3},
                            {1.26, 1.26},
                            {1.31, 1.37},
                            {1.24, 1.3},
                            {0, 0}}},
              .pixel_block = {178, 305},
              .pixel = {6.34, 12.5}},
    .nested = {.strip = {418, 733},
               .block = {296, 477},
               .inside_row = {87.9, 119},
               .inside = {12.8, 24.3},
               .edge_tap = {110, 158},
               .edge = {10.8, 20.4},
               .pair = {106, 166},
               .product = {13.7, 27.4},
               .odd = {138, 243},
               .odd_product = {13.9, 27.8},
               .rest_pair = {105, 198},
               .rest_product = {13.8, 27.8},
               .rest_output = {13.5, 23.1},
               .decoding = {{{0, 0},
                             {0, 0},
                             {0, 0},
                             {0.0245, 0.191},
                             {0, 0.0176},
                             {0.0287, 0.136},
                             {0.0173, 0.0516},
                             {0.0008, 0.0588},
                             {0, 0}}},
               .pixel_block = {159, 276},
               .pixel = {12.3, 23.2}}};
constexpr Factors cortex_m0{
    .two =
        {.strip = {578, 837},
         .filter_pair = {245, 397},
         .tile = {0, 0},
         .column = {126, 181},
         .column_quad = {82.6, 104},
         .seam = {90, 148},
         .tile_filters = {144, 228},
         .block = {528, 790},
         .output = {109, 128},
         .nested_output = {103, 121},
         .pair = {51.3, 64},
         .weights =
             {{{180, 230}, {0, 0}, {138, 181}, {148, 196}, {138, 183}, {161, 209}, {155, 203}, {166, 218}, {133, 174}}},
         .spread_tap = {16.1, 13.3},
         .spread_byte = {18.6, 29.4},
         .spread = {41.2, 54.8},
         .last_channel = {30.3, 43.1}},
    .four =
        {.strip = {656, 920},
         .filter_pair = {240, 377},
         .tile = {0, 0},
         .column = {181, 257},
         .column_quad = {199, 265},
         .seam = {124, 229},
         .tile_filters = {202, 318},
         .block = {746, 1095},
         .output = {250, 306},
         .nested_output = {233, 279},
         .pair = {51.3, 64.1},
         .weights =
             {{{207, 267}, {0, 0}, {181, 240}, {194, 259}, {177, 236}, {203, 272}, {207, 277}, {221, 291}, {177, 241}}},
         .spread_tap = {17.9, 11.9},
         .spread_byte = {19.4, 29.9},
         .spread = {39.4, 50.7},
         .last_channel = {35.7, 44.7}},
    .five =
        {.strip = {673, 946},
         .filter_pair = {89.8, 259},
         .tile = {0, 0},
         .column = {181, 256},
         .column_quad = {395, 541},
         .seam = {342, 551},
         .tile_filters = {350, 445},
         .block = {758, 1200},
         .output = {301, 360},
         .nested_output = {295, 360},
         .pair = {51.7, 64.7},
         .weights =
             {{{439, 546}, {0, 0}, {402, 513}, {413, 528}, {404, 514}, {440, 562}, {430, 550}, {462, 592}, {386, 499}}},
         .spread_tap = {31.7, 35.8},
         .spread_byte = {14.1, 21.5},
         .spread = {38.9, 49.7},
         .last_channel = {0, 0}},
    .block = {.strip = {440, 669},
              .block = {626, 889},
              .inside_row = {74.2, 78.8},
              .inside = {11.9, 20.6},
              .edge_tap = {235, 327},
              .edge = {12.1, 20.9},
              .pair = {601, 763},
              .product = {23.7, 34.3},
              .odd = {213, 267},
              .odd_product = {23.8, 34.6},
              .rest_pair = {209, 346},
              .rest_product = {23.5, 34},
              .rest_output = {50.2, 53.5},
              .decoding = {{{0, 0},
                            {0, 0},
                            {0.763, 0},
                            {2.66, 2.74},
                            {1.29, 1.01},
                            {4.77, 5.84},
                            {4.62, 5.52},
                            {6.15, 7.54},
                            {0, 0}}},
              .pixel_block = {135, 414},
              .pixel = {16.6, 27}},
    .nested = {
        .strip = {551, 896},
        .block = {556, 716},
        .inside_row = {68.2, 137},
        .inside = {28.8, 44.3},
        .edge_tap = {240, 336},
        .edge = {23.3, 37.3},
        .pair = {774, 976},
        .product = {23.9, 34.5},
        .odd = {620, 783},
        .odd_product = {23.6, 34.8},
        .rest_pair = {350, 503},
        .rest_product = {23.7, 34.4},
        .rest_output = {62.2, 69.9},
        .decoding =
            {{{0, 0}, {0, 0}, {1.53, 1.34}, {1.57, 1.38}, {1.3, 1.18}, {1.83, 1.74}, {1.72, 1.6}, {1.7, 1.51}, {0, 0}}},
        .pixel_block = {366, 1171},
        .pixel = {28, 37.4}}};

StripCost winograd_cost(const WinogradFactors& by, const runtime::Convolution& c, bool nested, std::int32_t tile_rows,
                        std::int32_t rows) {
  const std::int32_t kernel = c.window.kernel_height;
  const double points = tile_rows + kernel - 1;
  const double tiles = parts(rows, tile_rows);
  const double filter_pairs = parts(c.output.channels, 2);
  const double quads = parts(c.input.channels, 4);
  const double pairs = kernel * quads * 2;  // in a row of a filter
  const double columns = c.output.width + kernel - 1.0;
  const double blocks = tiles * filter_pairs * parts(c.output.width, 4);
  CostSum sum;
  sum.add(1, by.strip);
  sum.add(filter_pairs, by.filter_pair);
  const bool spreads = c.input.channels % 4 != 0;
  sum.add(filter_pairs * pairs, nth(by.weights, nested ? 0 : spreads ? 8 : c.weight_bits));
  if (spreads) {
    const double taps = filter_pairs * kernel * kernel;
    sum.add(taps, by.spread_tap);
    sum.add(taps * c.input.channels, nested || c.weight_bits == 8 ? by.spread_byte : by.spread);
    sum.add(tiles * columns * (c.input.channels % 4), by.last_channel);
  }
  sum.add(tiles, by.tile);
  sum.add(tiles * columns, by.column);
  sum.add(tiles * columns * quads, by.column_quad);
  sum.add(tiles * 2 * quads, by.seam);
  sum.add(tiles * filter_pairs, by.tile_filters);
  sum.add(blocks, by.block);
  sum.add(blocks * points * pairs, by.pair);
  sum.add(tiles * c.output.channels * c.output.width, nested ? by.nested_output : by.output);
  return sum.cost();
}

StripCost block_cost(const BlockFactors& by, const runtime::Convolution& c, std::int32_t first, std::int32_t rows) {
  const runtime::Window& window = c.window;
  const std::int32_t taps = window.kernel_height * window.kernel_width;
  const std::int32_t channels = c.input.channels / c.groups;
  const std::int32_t filters = c.output.channels / c.groups;
  const double numbers = double(taps) * channels;
  const double padded = 4 * parts(taps * channels, 4);
  const auto reach = [](std::int32_t size, std::int32_t dilation) { return (size - 1) * dilation; };
  const std::int32_t down = reach(window.kernel_height, window.dilation_rows);
  const std::int32_t right = reach(window.kernel_width, window.dilation_columns);
  double inside_rows = 0;
  for (std::int32_t y = first; y < first + rows; ++y) {
    const std::int32_t top = y * window.stride_rows - window.pad_top;
    if (top >= 0 && top + down < c.input.height) ++inside_rows;
  }
  double inside_blocks = 0;  // of a row that is inside
  for (std::int32_t x = 0; x < c.output.width; x += 4) {
    const std::int32_t left = x * window.stride_columns - window.pad_left;
    const std::int32_t last = left + (std::min(c.output.width - x, 4) - 1) * window.stride_columns;
    if (left >= 0 && last + right < c.input.width) ++inside_blocks;
  }
  const double blocks = parts(c.output.width, 4) * rows;
  const double inside = inside_rows * inside_blocks;
  const double whole = double(c.output.width / 4) * rows;
  const double rest = blocks - whole;
  const double filter_pairs = filters / 2;
  CostSum sum;  // of a group
  sum.add(1, by.strip);
  if (taps == 1 && inside_rows == rows && window.pad_left == 0 &&
      (c.output.width - 1) * window.stride_columns < c.input.width) {
    sum.add(blocks, by.pixel_block);
    sum.add(blocks * numbers, by.pixel);
  } else {
    sum.add(blocks, by.block);
    sum.add(inside * window.kernel_height, by.inside_row);
    sum.add(inside * numbers, by.inside);
    sum.add((blocks - inside) * taps, by.edge_tap);
    sum.add((blocks - inside) * numbers, by.edge);
  }
  sum.add(whole * filter_pairs, by.pair);
  sum.add(whole * filter_pairs * padded, by.product);
  sum.add(whole * (filters % 2), by.odd);
  sum.add(whole * (filters % 2) * padded, by.odd_product);
  sum.add(rest * parts(filters, 2), by.rest_pair);
  sum.add(rest * parts(filters, 2) * padded, by.rest_product);
  sum.add(double(c.output.width % 4) * rows * filters, by.rest_output);
  sum.add(blocks * parts(filters, 2) * padded, nth(by.decoding, c.weight_bits));
  CostSum all;
  all.add(c.groups, {sum.cost().instructions, sum.cost().cycles});
  return all.cost();
}

StripCost depthwise_rows_cost(const runtime::Convolution& c, std::int32_t first, std::int32_t rows) {
  const DepthwiseFactors& by = depthwise_rows;
  const runtime::Window& window = c.window;
  const std::int32_t stride = std::min<std::int32_t>(window.stride_rows, 3);
  double copied = 0;
  double inside = 0;
  for (std::int32_t y = first; y < first + rows; ++y) {
    for (std::int32_t i = y == first ? 0 : 3 - stride; i < 3; ++i) {
      const std::int32_t row = y * window.stride_rows - window.pad_top + i;
      ++copied;
      if (row >= 0 && row < c.input.height) ++inside;
    }
  }
  const double columns = double(c.output.width - 1) * window.stride_columns + 3;
  const double pixels = inside * std::min<double>(c.input.width, columns - window.pad_left);
  const double channels = c.input.channels;
  const std::int32_t fours = c.output.width / 4;
  const std::int32_t twos = c.output.width % 4 / 2;
  const std::int32_t ones = c.output.width % 2;
  CostSum sum;
  sum.add(1, by.strip);
  if (c.weight_bits < 8) sum.add(9 * channels, by.unpacking);
  sum.add(copied, by.row);
  sum.add(pixels * channels, by.byte);
  sum.add((copied * columns - pixels) * channels, by.padding);
  sum.add(rows, by.line);
  sum.add(double(rows) * (fours + twos + ones), by.call);
  sum.add(double(rows) * fours * channels, nth(by.four, window.stride_columns - 1));
  sum.add(double(rows) * twos * channels, nth(by.two, window.stride_columns - 1));
  sum.add(double(rows) * ones * channels, by.one);
  return sum.cost();
}

}  // namespace

std::optional<StripCost> cost_of_m3_strip(const ConvolutionStep& step, const Kernel& kernel, Core core,
                                          std::int32_t first, std::int32_t rows) {
  const runtime::Convolution& c = step.convolution;
  const bool nested = step.weight_code == WeightCode::nested;
  const Factors& factors = core == Core::cortex_m0 ? cortex_m0 : cortex_m3;
  if (kernel.header == "convolution_winograd_m3.h") {
    const bool two = kernel.name.find("winograd2") != std::string::npos;
    const bool five = c.window.kernel_height == 5;
    return winograd_cost(five ? factors.five : two ? factors.two : factors.four, c, nested, two ? 2 : 4, rows);
  }
  if (kernel.header == "convolution_s32_4x2_m3.h" || kernel.header == "convolution_nested_4x2_m3.h") {
    return block_cost(nested ? factors.nested : factors.block, c, first, rows);
  }
  if (kernel.header == "depthwise_3x3_rows_m3.h") return depthwise_rows_cost(c, first, rows);
  return std::nullopt;
}

}  // namespace trimtab
