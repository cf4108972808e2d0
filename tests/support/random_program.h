#pragma once

#include "support/program_builder.h"

namespace trimtab {

/// Random valid programs: a few steps over small images, of every kind and format that the runtime knows.
class RandomProgram {
 public:
  static Program make(std::uint64_t seed, int operating_points = 1) {
    RandomProgram made(seed, operating_points);
    return made.build();
  }

 private:
  RandomProgram(std::uint64_t seed, int operating_points) : b_(seed, operating_points) {}

  int pick(int low, int high) { return static_cast<int>(b_.random.integer(low, high)); }
  bool chance(int one_in) { return pick(1, one_in) == 1; }

  ActivationGrid grid() {
    constexpr int bits[] = {2, 4, 4, 8, 8, 8, 16};
    return {1, bits[pick(0, 6)], chance(2)};
  }

  Program build() {
    b_.zero_points = true;
    b_.program.input = b_.add_buffer(pick(1, 12), pick(1, 12), pick(1, 40), grid());
    values_ = {b_.program.input};
    const int steps = pick(3, 8);
    for (int i = 0; i < steps; ++i)
      add(values_[static_cast<std::size_t>(pick(0, static_cast<int>(values_.size()) - 1))]);
    BufferId output = values_.back();
    while (b_.buffer(output).parent.has_value()) output = *b_.buffer(output).parent;  // an output is no part
    return b_.finish(output);
  }

  int weight_bits() {
    const int bits = pick(2, 9);
    return bits == 9 ? 16 : bits;
  }

  void add(BufferId x) {
    const Buffer from = b_.buffer(x);
    switch (pick(0, 12)) {
      case 0:
      case 1:
        return keep(b_.convolution(x, any_convolution(from), grid(), weight_bits(), chance(3)));
      case 2: {
        ConvolutionShape shape = any_convolution(from);
        shape.groups = shape.outputs = from.channels;
        return keep(b_.convolution(x, shape, grid(), weight_bits(), chance(3)));
      }
      case 3: {
        const auto [kernel, stride, pad] = any_pool(from);
        return keep(b_.max_pool(x, kernel, stride, pad));
      }
      case 4: {
        const auto [kernel, stride, pad] = any_pool(from);
        return keep(chance(3) ? b_.global_average_pool(x, grid())
                              : b_.average_pool(x, kernel, kernel, stride, pad, chance(2), grid()));
      }
      case 5:
        return keep(b_.addition(x, partner(x), grid()));
      case 6: {
        const BufferId other = partner(x);
        const double largest =
            ProgramBuilder::largest_magnitude(from.grid) * ProgramBuilder::largest_magnitude(b_.buffer(other).grid);
        return largest < 2147483647.0 ? keep(b_.multiplication(x, other, grid())) : keep(b_.addition(x, other, grid()));
      }
      case 7:
        return from.grid.bits <= 8 ? keep(b_.lookup(x, grid())) : add_rescale(x);
      case 8:
        return add_rescale(x);
      case 9:
        return add_movement(x);
      case 10:
        return add_part(x);
      case 11:
        return from.grid.bits <= 8 ? keep(b_.softmax(x, grid())) : add_rescale(x);
      default:
        return add_concatenation(x);
    }
  }

  void keep(BufferId value) { values_.push_back(value); }

  /// Kernels of 1x1 to 7x7 with any strides, dilations, groups and uneven pads; at least one output pixel.
  ConvolutionShape any_convolution(const Buffer& from) {
    ConvolutionShape s;
    const auto side = [&](int size, int& kernel, int& stride, int& dilation, int& before, int& after) {
      kernel = chance(3) ? 1 : pick(1, 7);
      stride = chance(2) ? 1 : pick(1, 3);
      dilation = chance(3) ? pick(1, 3) : 1;
      before = pick(0, kernel - 1);
      after = pick(0, kernel - 1);
      const int missing = dilation * (kernel - 1) + 1 - size - before - after;
      if (missing > 0) after += missing;
    };
    side(from.height, s.kernel_height, s.stride_rows, s.dilation_rows, s.pad_top, s.pad_bottom);
    side(from.width, s.kernel_width, s.stride_columns, s.dilation_columns, s.pad_left, s.pad_right);
    if (chance(6)) {  // a linear layer
      s = {};
      s.kernel_height = from.height;
      s.kernel_width = from.width;
    }
    if (chance(3)) {
      do {
        s.groups = pick(1, from.channels);
      } while (from.channels % s.groups != 0);
    }
    s.outputs = s.groups * pick(1, std::max(1, 40 / s.groups));
    return s;
  }

  /// Every window has a pixel of the image in it.
  std::array<int, 3> any_pool(const Buffer& from) {
    const int size = std::min(from.height, from.width);
    const int kernel = pick(1, std::min(size, 4));
    const int pad = chance(2) ? 0 : pick(0, kernel / 2);
    return {kernel, pick(1, 3), pad};
  }

  /// A value to add to or multiply with x: of its shape, or a single pixel.
  BufferId partner(BufferId x) {
    const Buffer from = b_.buffer(x);
    if (chance(3)) return b_.global_average_pool(x, grid());
    if (chance(6)) return x;
    ConvolutionShape shape;
    shape.outputs = from.channels;
    return b_.convolution(x, shape, grid(), weight_bits());
  }

  void add_rescale(BufferId x) {
    const Buffer from = b_.buffer(x);
    const BufferId output = b_.add_buffer(from.height, from.width, from.channels, chance(3) ? from.grid : grid());
    b_.rescale_into(output, x);
    keep(output);
  }

  /// One box, or two that lie behind each other along an axis.
  void add_movement(BufferId x) {
    const std::array<std::int16_t, 3> size{static_cast<std::int16_t>(pick(1, 9)), static_cast<std::int16_t>(pick(1, 9)),
                                           static_cast<std::int16_t>(pick(1, 24))};
    const BufferId output = b_.add_buffer(size[0], size[1], size[2], b_.buffer(x).grid);
    runtime::Box box{0, 0, 0, size[0], size[1], size[2]};
    const int axis = pick(0, 2);
    const std::array lengths{&box.height, &box.width, &box.channels};
    const std::array starts{&box.top, &box.left, &box.first_channel};
    const auto at = static_cast<std::size_t>(axis);
    const auto cut = static_cast<std::int16_t>(pick(1, size[at]));
    *lengths[at] = cut;
    b_.movement_into(output, x, box);
    if (cut < size[at]) {
      *starts[at] = cut;
      *lengths[at] = static_cast<std::int16_t>(size[at] - cut);
      b_.movement_into(output, x, box);
    }
    keep(output);
  }

  void add_part(BufferId x) {
    const Buffer from = b_.buffer(x);
    int first = pick(0, from.channels - 1);
    while (first * from.grid.bits % 8 != 0) --first;
    keep(b_.part(x, first, pick(1, from.channels - first)));
  }

  /// Two or three values written side by side, sometimes one of them again a concatenation.
  void add_concatenation(BufferId x) {
    const ActivationGrid shared = grid();
    keep(concatenation(x, shared, chance(4)));
  }

  BufferId concatenation(BufferId x, const ActivationGrid& shared, bool nested) {
    const Buffer from = b_.buffer(x);
    std::vector<BufferId> parts;
    int channels = 0;
    const int count = pick(2, 3);
    for (int i = 0; i < count; ++i) {
      BufferId part = -1;
      if (i == 0 && nested) {
        part = concatenation(x, shared, false);
      } else {
        int outputs = pick(1, 40);
        while (outputs * shared.bits % 8 != 0) ++outputs;  // the next part starts at a byte
        ConvolutionShape shape;
        shape.outputs = outputs;
        part = b_.convolution(x, shape, shared, weight_bits());
      }
      parts.push_back(part);
      channels += b_.buffer(part).channels;
    }
    const BufferId whole = b_.add_buffer(from.height, from.width, channels, shared);
    int first = 0;
    for (const BufferId part : parts) {
      Buffer& buffer = b_.program.buffers[static_cast<std::size_t>(part)];
      buffer.parent = whole;
      buffer.parent_channel = first;
      first += buffer.channels;
      if (chance(3)) keep(part);
    }
    return whole;
  }

  ProgramBuilder b_;
  std::vector<BufferId> values_;
};

/// A random sample of the program's input: integers, and their bytes as the runtime lays them out.
struct RandomSample {
  std::vector<std::int64_t> integers;
  std::vector<std::uint8_t> bytes;

  RandomSample(const Program& program, Random& random) {
    const Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
    const int bits = input.grid.bits;
    for (std::int64_t pixel = 0; pixel < std::int64_t{input.height} * input.width; ++pixel) {
      std::vector<std::uint8_t> packed(static_cast<std::size_t>((input.channels * bits + 7) / 8));
      for (int channel = 0; channel < input.channels; ++channel) {
        const std::int64_t value = random.integer(input.grid.minimum(), input.grid.maximum());
        integers.push_back(value);
        for (int bit = 0; bit < bits; ++bit) {
          const int position = channel * bits + bit;
          const auto set = static_cast<std::uint8_t>((static_cast<std::uint64_t>(value) >> bit & 1U) << (position % 8));
          packed[static_cast<std::size_t>(position / 8)] |= set;
        }
      }
      bytes.insert(bytes.end(), packed.begin(), packed.end());
    }
  }
};

}  // namespace trimtab
