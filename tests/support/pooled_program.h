#pragma once

#include "support/program_builder.h"

namespace trimtab {

/// A random program of so many convolutions, each with a pool of random kind and window behind it: kernels 1x1 to 7x7,
/// strides, dilation, pads, groups, odd channels, all formats (`formats` restricts their bits).
inline Program pooled_program(std::uint64_t seed, int convolutions,
                              const std::vector<int>& formats = {2, 4, 8, 8, 16}) {
  ProgramBuilder b(seed);
  const auto pick = [&](int low, int high) { return static_cast<int>(b.random.integer(low, high)); };
  const auto grid = [&] {
    return ActivationGrid{1, formats[static_cast<std::size_t>(pick(0, static_cast<int>(formats.size()) - 1))],
                          pick(0, 1) == 1};
  };
  const int size = pick(6, convolutions > 1 ? 24 : 14);
  b.program.input = b.add_buffer(size, pick(5, size), pick(1, 12), grid());
  BufferId x = b.program.input;
  for (int i = 0; i < convolutions; ++i) {
    const Buffer from = b.buffer(x);
    ConvolutionShape shape;
    const auto side = [&](int length, int& kernel, int& stride, int& dilation, int& before, int& after) {
      kernel = pick(1, 7);
      stride = pick(0, 3) == 0 ? 2 : 1;
      dilation = pick(0, 4) == 0 ? 2 : 1;
      before = pick(0, kernel - 1);
      after = std::max(pick(0, kernel - 1), dilation * (kernel - 1) + 4 - length - before);
    };
    side(from.height, shape.kernel_height, shape.stride_rows, shape.dilation_rows, shape.pad_top, shape.pad_bottom);
    side(from.width, shape.kernel_width, shape.stride_columns, shape.dilation_columns, shape.pad_left, shape.pad_right);
    shape.outputs = pick(1, 24);
    if (pick(0, 4) == 0) shape.groups = shape.outputs = from.channels;
    x = b.convolution(x, shape, grid(), pick(0, 2) == 0 ? 8 : pick(2, 8), pick(0, 2) == 0);
    const int kernel = pick(1, std::min({b.buffer(x).height, b.buffer(x).width, 4}));
    const int stride = pick(1, 3);
    const int pad = pick(0, kernel / 2);
    x = pick(0, 2) > 0 ? b.max_pool(x, kernel, stride, pad)
                       : b.average_pool(x, kernel, kernel, stride, pad, pick(0, 1) == 1, grid());
  }
  return b.finish(x);
}

}  // namespace trimtab
