// Weights as convolution_8_4x2_mve.h and depthwise_3x3_rows_mve.h read them.

#include <algorithm>

#include "base/index.h"
#include "program/pack.h"
#include "trimtab/convolution_8_4x2_mve.h"

namespace trimtab {

namespace {

/// Weight `index` of a filter in the order of convolution_8_4x2_mve.h's windows.
std::int16_t column_weight(const ConvolutionStep& step, std::int64_t filter, std::int64_t index) {
  const runtime::Convolution& c = step.convolution;
  const std::int64_t channels = c.input.channels;
  const std::int64_t channel = index % channels;
  const std::int64_t row = index / channels % c.window.kernel_height;
  const std::int64_t column = index / channels / c.window.kernel_height;
  const std::int64_t size = runtime::convolution_8_4x2_mve_size(c);
  return nth(step.weights, filter * size + (row * c.window.kernel_width + column) * channels + channel);
}

}  // namespace

/// As convolution_8_4x2_mve.h reads them where they lie: pairs of filters, 16 numbers of each in turn, zeros behind the
/// last.
std::vector<std::uint8_t> pack_chunk_pairs(const ConvolutionStep& step) {
  const std::int64_t filters = step.convolution.output.channels;
  const std::int64_t size = runtime::convolution_8_4x2_mve_size(step.convolution);
  std::vector<std::uint8_t> packed;
  for (std::int64_t pair = 0; pair < filters; pair += 2) {
    for (std::int64_t first = 0; first < size; first += 16) {
      for (const std::int64_t filter : {pair, std::min(pair + 1, filters - 1)}) {
        for (std::int64_t k = first; k < first + 16; ++k) {
          const std::int16_t weight = k < size ? column_weight(step, filter, k) : std::int16_t{0};
          packed.push_back(static_cast<std::uint8_t>(weight));
        }
      }
    }
  }
  return packed;
}

/// As convolution_8_4x2_mve.h unpacks them: blocks of eight filters, whose fields lie in the lanes of vectors.
std::vector<std::uint8_t> pack_lanes(const ConvolutionStep& step) {
  const std::int64_t filters = step.convolution.output.channels;
  const std::int64_t size = runtime::convolution_8_4x2_mve_size(step.convolution);
  const int bits = stored_bits(step);
  std::vector<std::uint8_t> packed;
  std::int64_t read = 0;  // by the kernel, vectors of 16 lanes for 8 filters
  for (std::int64_t block = 0; block < filters; block += 8) {
    const std::int64_t count = std::min<std::int64_t>(8, (filters - block + 1) / 2 * 2);
    const std::int64_t vectors = (count * bits + 7) / 8;
    for (std::int64_t first = 0; first < size; first += 16) {
      const std::int64_t lanes = std::min<std::int64_t>(16, size - first);
      const std::size_t begin = packed.size();
      read = std::ssize(packed) + (bits - 1) * lanes + 16;
      packed.resize(begin + static_cast<std::size_t>(vectors * lanes));
      for (std::int64_t i = 0; i < count * lanes * bits; ++i) {
        const std::int64_t lane = i / bits % lanes;
        const std::int64_t filter = i / bits / lanes;
        const std::int64_t bit = filter * bits + i % bits;
        const int weight = column_weight(step, std::min(block + filter, filters - 1), first + lane);
        const unsigned value = static_cast<unsigned>(weight) >> (i % bits) & 1U;
        packed[begin + static_cast<std::size_t>(bit / 8 * lanes + lane)] |=
            static_cast<std::uint8_t>(value << (bit % 8));
      }
    }
  }
  packed.resize(static_cast<std::size_t>(std::max(read, std::ssize(packed))));
  return packed;
}

/// As depthwise_3x3_rows_mve.h reads them: of every eight channels tap by tap.
std::vector<std::uint8_t> pack_depthwise_eights(const ConvolutionStep& step) {
  std::vector<std::uint8_t> packed = pack_filters(interleave_depthwise(step, 8), 1, stored_bits(step));
  if (stored_bits(step) < 8) packed.push_back(0);
  return packed;
}

}  // namespace trimtab
