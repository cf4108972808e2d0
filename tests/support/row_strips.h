#pragma once

// A convolution by a kernel that works by rows, strip by strip: its rows lie in no order and apart from each other.

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/index.h"
#include "plan/nested_network.h"
#include "program/kernel_functions.h"
#include "program/pack.h"
#include "support/program_builder.h"

namespace trimtab {

/// Rows of an image in any order, the unused ones as they were filled.
class ScatteredRows {
 public:
  ScatteredRows(const runtime::Image& image, Random& random, std::uint8_t filled)
      : row_bytes_(image.width * image.pixel_stride) {
    places_.resize(static_cast<std::size_t>(image.height));
    const int apart = (row_bytes_ + 7) / 8 + 1;
    std::vector<int> order(places_.size());
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(i) - 1))]);
    }
    for (std::size_t i = 0; i < order.size(); ++i) places_[i] = static_cast<std::uint16_t>(order[i] * apart);
    memory_.assign(places_.size() * static_cast<std::size_t>(apart) * 8, filled);
  }

  runtime::InputRows input() const { return {memory_.data(), places_.data(), 0}; }
  runtime::OutputRows output() { return {memory_.data(), places_.data(), 0}; }

  void write_row(std::int32_t row, const std::uint8_t* from) {
    std::memcpy(output()[row], from, static_cast<std::size_t>(row_bytes_));
  }
  void fill_row(std::int32_t row, std::uint8_t byte) {
    std::memset(output()[row], byte, static_cast<std::size_t>(row_bytes_));
  }
  /// The bytes of all rows one after the other.
  std::vector<std::uint8_t> dense() const {
    std::vector<std::uint8_t> bytes;
    for (std::size_t row = 0; row < places_.size(); ++row) {
      const std::uint8_t* from = input()[static_cast<std::int32_t>(row)];
      bytes.insert(bytes.end(), from, from + row_bytes_);
    }
    return bytes;
  }
  /// Whether nothing but rows was written.
  bool gaps_hold(std::uint8_t filled) const {
    std::vector<bool> in_row(memory_.size());
    for (const std::uint16_t place : places_) {
      std::fill_n(in_row.begin() + 8 * place, row_bytes_, true);
    }
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      if (!in_row[i] && memory_[i] != filled) return false;
    }
    return true;
  }

 private:
  std::int32_t row_bytes_;
  std::vector<std::uint16_t> places_;
  std::vector<std::uint8_t> memory_;
};

/// The descriptor with its pointers set.
inline runtime::Convolution bound(const ConvolutionStep& step, const std::vector<std::uint8_t>& packed) {
  runtime::Convolution c = step.convolution;
  c.weights = packed.data();
  c.bias = step.bias.data();
  c.multiplier = step.multiplier.data();
  c.padding_value = step.padding_value.empty() ? nullptr : step.padding_value.data();
  return c;
}

/// Random numbers of the whole range, its two ends, or weights of the least and inputs of the greatest.
enum class CaseNumbers { any, ends, greatest };

inline std::int64_t case_number(Random& random, CaseNumbers numbers, std::int64_t least, std::int64_t most) {
  if (numbers == CaseNumbers::any) return random.integer(least, most);
  return numbers == CaseNumbers::greatest || random.integer(0, 1) == 0 ? most : least;
}

/// A program of one convolution of bytes, and an input.
struct ConvolutionCase {
  Program program;
  std::vector<std::int64_t> input;  ///< integers

  const ConvolutionStep& step() const { return std::get<ConvolutionStep>(program.steps[0].operation); }
  std::vector<std::uint8_t> bytes() const {
    std::vector<std::uint8_t> result;
    for (const std::int64_t integer : input) result.push_back(static_cast<std::uint8_t>(integer));
    return result;
  }
  /// Of the output's bytes.
  std::vector<std::int64_t> integers(const std::vector<std::uint8_t>& output) const {
    const runtime::Image& image = step().convolution.output;
    std::vector<std::int64_t> result;
    for (std::int32_t pixel = 0; pixel < image.height * image.width; ++pixel) {
      for (std::int32_t channel = 0; channel < image.channels; ++channel) {
        result.push_back(runtime::load_activation(output.data() + pixel * image.pixel_stride, channel, image.format));
      }
    }
    return result;
  }
};

/// A convolution of random shape with a square kernel: with stride 1 and all channels, or depthwise with strides of 1
/// to 3 rows and 1 or 2 columns. Channels are a multiple of four, of 5x5 kernels any. Nested weights are taken at
/// `weight_bits` bits.
inline ConvolutionCase random_square(int kernel, std::uint64_t seed, bool depthwise, int weight_bits,
                                     CaseNumbers numbers, WeightCode code = WeightCode::integer) {
  const bool nested = code == WeightCode::nested;
  ProgramBuilder b(seed, nested ? 2 : 1);
  b.zero_points = true;
  const auto pick = [&](int low, int high) { return static_cast<int>(b.random.integer(low, high)); };
  ConvolutionShape shape;
  shape.kernel_height = shape.kernel_width = kernel;
  shape.outputs = pick(0, 1) == 0 ? 2 * pick(1, 10) : pick(1, 19);
  shape.pad_top = pick(0, 2);
  shape.pad_left = pick(0, 2);
  shape.pad_bottom = pick(0, 2);
  shape.pad_right = pick(0, 2);
  if (pick(0, 1) == 0) shape.pad_top = shape.pad_left = shape.pad_bottom = shape.pad_right = kernel / 2;
  const int channels = !depthwise && pick(0, 1) == 0 ? pick(1, 19) : 4 * pick(1, 9);
  if (depthwise) {
    shape.outputs = shape.groups = channels;
    shape.stride_rows = pick(1, 3);
    shape.stride_columns = pick(1, 2);
  }
  const bool input_signed = pick(0, 1) == 1;
  const int height = pick(std::max(1, kernel - shape.pad_top - shape.pad_bottom), 13);
  const int width = pick(std::max(1, kernel - shape.pad_left - shape.pad_right), 19);
  b.program.input = b.add_buffer(height, width, channels, {1, 8, input_signed});
  const int output_bits = pick(0, 3) == 0 ? 1 << pick(1, 4) : 8;
  const BufferId y =
      b.convolution(b.program.input, shape, {1, output_bits, pick(0, 1) == 1}, weight_bits, pick(0, 3) == 0);
  ConvolutionCase made{program_at(b.finish(y), 0), {}};
  auto& step = std::get<ConvolutionStep>(made.program.steps[0].operation);
  if (pick(0, 1) == 0) step.convolution.shift = 0;
  step.convolution.weight_bits = static_cast<std::uint8_t>(weight_bits);
  const ActivationGrid weights{1, nested ? stored_weight_bits : weight_bits, true};
  const ActivationGrid& inputs = b.buffer(b.program.input).grid;
  if (numbers != CaseNumbers::any) {
    for (std::int16_t& weight : step.weights) {
      weight = static_cast<std::int16_t>(numbers == CaseNumbers::greatest
                                             ? weights.minimum()
                                             : case_number(b.random, numbers, weights.minimum(), weights.maximum()));
    }
  }
  const Buffer& buffer = b.buffer(b.program.input);
  for (std::int64_t i = 0; i < buffer.elements(); ++i) {
    made.input.push_back(case_number(b.random, numbers, inputs.minimum(), inputs.maximum()));
  }
  return made;
}

inline ConvolutionCase random_3x3(std::uint64_t seed, bool depthwise, int weight_bits, CaseNumbers numbers,
                                  WeightCode code = WeightCode::integer) {
  return random_square(3, seed, depthwise, weight_bits, numbers, code);
}

}  // namespace trimtab
