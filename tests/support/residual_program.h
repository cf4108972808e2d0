#pragma once

#include "support/program_builder.h"

namespace trimtab {

/// Convolutions of 3x3 over random odd sizes with a shortcut. Winograd's kernels can make strips of three of them, too.
inline Program residual_program(std::uint64_t seed, int bits, int points = 1) {
  ProgramBuilder b(seed, points);
  const auto pick = [&](int low, int high) { return static_cast<int>(b.random.integer(low, high)); };
  const int height = pick(5, 21);
  const int channels = 4 * pick(1, 3);
  const ActivationGrid grid{1, 8, false};
  b.program.input = b.add_buffer(height, pick(4, 11), channels, grid);
  const BufferId first = b.convolution(b.program.input, square(channels, 3, 1, height), grid, bits);
  BufferId x = b.convolution(first, square(channels, 3, 1, height), {1, 8, true}, bits);
  x = b.convolution(x, square(channels, 3, 1, height), grid, bits);
  x = b.addition(x, first, grid);
  return b.finish(b.convolution(x, square(6, 3, 2, height), grid, bits));
}

}  // namespace trimtab
