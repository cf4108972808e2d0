// Winograd's F(4x4,3x3) on all cores that have it.

#include <array>

#include "base/index.h"
#include "program/kernel_cost_terms.h"
#include "trimtab/winograd_4x4_tiles.h"

namespace trimtab {
namespace {

/// Fitted to 64 random layers, 48 of RISC-V: none is off by more than 0.6 %.
struct SquareFactors {
  Each strip, filter_pair;
  Each tile, tile_pair;                     ///< of the inputs, and two channels of it
  Each block, pair, eight_pairs;            ///< four tiles with two filters; at a point, two channels, and eight
  Each tile_filter, output, nested_output;  ///< a tile of one filter, and a column of its outputs
  std::array<Each, 9> weights{};            ///< of two filters for two channels, by bits; 0: nested
};
constexpr SquareFactors squares_of_cortex_m4{.strip = {335, 669.2},
                                             .filter_pair = {167.4, 250.7},
                                             .tile = {868.4, 1273},
                                             .tile_pair = {498.9, 589.9},
                                             .block = {574, 1389},
                                             .pair = {10.97, 16.98},
                                             .eight_pairs = {3.435, 6.255},
                                             .tile_filter = {251.6, 325.8},
                                             .output = {47.45, 65.15},
                                             .nested_output = {76.98, 99.13},
                                             .weights = {{{539.6, 614.7},
                                                          {0, 0},
                                                          {465.5, 540},
                                                          {492.7, 567.2},
                                                          {472.1, 554.1},
                                                          {499.4, 581.3},
                                                          {498.8, 581.5},
                                                          {528.2, 614.8},
                                                          {420.5, 491.5}}}};
constexpr SquareFactors squares_of_cortex_m3{.strip = {133.5, 423.2},
                                             .filter_pair = {992.6, 1457},
                                             .tile = {802.9, 1220},
                                             .tile_pair = {460.1, 555.5},
                                             .block = {848.1, 1610},
                                             .pair = {25.52, 53.01},
                                             .eight_pairs = {0, 0},
                                             .tile_filter = {288, 359.6},
                                             .output = {56.47, 98.7},
                                             .nested_output = {86.44, 129},
                                             .weights = {{{971.7, 1127},
                                                          {0, 0},
                                                          {891.5, 1044},
                                                          {885.2, 1044},
                                                          {884.5, 1032},
                                                          {887.6, 1054},
                                                          {882, 1047},
                                                          {878.9, 1035},
                                                          {856.1, 1021}}}};
constexpr SquareFactors squares_of_cortex_m0{.strip = {220, 235.7},
                                             .filter_pair = {1244, 1815},
                                             .tile = {1199, 1694},
                                             .tile_pair = {1001, 1347},
                                             .block = {3627, 5379},
                                             .pair = {52.06, 64.81},
                                             .eight_pairs = {0, 0},
                                             .tile_filter = {439.5, 618},
                                             .output = {247.4, 295},
                                             .nested_output = {234.3, 281.7},
                                             .weights = {{{1188, 1708},
                                                          {0, 0},
                                                          {1120, 1632},
                                                          {1159, 1679},
                                                          {1124, 1631},
                                                          {1184, 1719},
                                                          {1181, 1706},
                                                          {1215, 1752},
                                                          {1061, 1569}}}};
constexpr SquareFactors squares_of_rv32imc{
    .strip = {273.3, 0},
    .filter_pair = {1017, 0},
    .tile = {901.5, 0},
    .tile_pair = {623.9, 0},
    .block = {1194, 0},
    .pair = {45.68, 0},
    .eight_pairs = {0, 0},
    .tile_filter = {293, 0},
    .output = {95.2, 0},
    .nested_output = {97.83, 0},
    .weights = {
        {{942.9, 0}, {0, 0}, {917.6, 0}, {943.7, 0}, {920.8, 0}, {969.8, 0}, {971.9, 0}, {999, 0}, {841.2, 0}}}};

const SquareFactors& factors_of(Core core) {
  switch (core) {
    case Core::cortex_m3:
      return squares_of_cortex_m3;
    case Core::cortex_m0:
      return squares_of_cortex_m0;
    case Core::rv32imc:
      return squares_of_rv32imc;
    default:
      return squares_of_cortex_m4;
  }
}

}  // namespace

StripCost cost_of_winograd_4x4_strip(const ConvolutionStep& step, Core core, std::int32_t rows) {
  const runtime::Convolution& c = step.convolution;
  const bool nested = step.weight_code == WeightCode::nested;
  const SquareFactors& by = factors_of(core);
  const runtime::Winograd4x4Layout layout = runtime::winograd_4x4_layout(c);
  const double filter_pairs = parts(c.output.channels, 2);
  const double tiles = layout.tiles_of(rows);
  const double blocks = layout.fours_of(rows) * filter_pairs;
  CostSum sum;
  sum.add(1, by.strip);
  sum.add(filter_pairs, by.filter_pair);
  sum.add(filter_pairs * layout.pairs, nth(by.weights, nested ? 0 : c.weight_bits));
  sum.add(tiles, by.tile);
  sum.add(tiles * layout.pairs, by.tile_pair);
  sum.add(blocks, by.block);
  sum.add(blocks * 36 * layout.pairs, by.pair);
  sum.add(blocks * 36 * parts(layout.pairs - 1, 8), by.eight_pairs);
  sum.add(tiles * c.output.channels, by.tile_filter);
  sum.add(parts(rows, 4) * c.output.width * c.output.channels, nested ? by.nested_output : by.output);
  return sum.cost();
}

}  // namespace trimtab
