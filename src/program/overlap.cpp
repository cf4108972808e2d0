#include "program/overlap.h"

#include <algorithm>

namespace trimtab {

std::int64_t overlap_lead_bytes(const runtime::Image& input, const runtime::Image& output,
                                const runtime::Window& window, std::int32_t pixels_at_once, bool reads_first) {
  const std::int64_t pixels = std::int64_t{output.height} * output.width;
  const std::int64_t input_pixels = std::int64_t{input.height} * input.width;
  // First input pixel that output pixel `index` reads; windows of later rows begin no earlier than their own row's left
  // edge, so the least over all later pixels is that of the row's rest or of the next row's start.
  const auto first_read = [&](std::int64_t index) {
    const std::int64_t y = index / output.width;
    const std::int64_t x = index % output.width;
    const std::int64_t row = std::clamp<std::int64_t>(y * window.stride_rows - window.pad_top, 0, input.height);
    const std::int64_t column =
        std::clamp<std::int64_t>(x * window.stride_columns - window.pad_left, 0, input.width - 1);
    return row * input.width + column;
  };
  std::int64_t lead = 0;
  std::int64_t needed = input_pixels;  // by blocks after the present one
  const std::int64_t last_block = (pixels - 1) / pixels_at_once;
  for (std::int64_t block = last_block; block >= 0; --block) {
    const std::int64_t begin = block * pixels_at_once;
    const std::int64_t end = std::min(begin + pixels_at_once, pixels);
    const auto read_block = [&] {
      for (std::int64_t index = begin; index < end; ++index) needed = std::min(needed, first_read(index));
    };
    if (!reads_first) read_block();
    // all bytes below end * output.pixel_stride - lead must lie below needed * input.pixel_stride
    if (needed < input_pixels) lead = std::max(lead, end * output.pixel_stride - needed * input.pixel_stride);
    read_block();
  }
  return lead;
}

std::int64_t overlap_lead_bytes(const runtime::Convolution& convolution, std::int32_t pixels_at_once) {
  return overlap_lead_bytes(convolution.input, convolution.output, convolution.window, pixels_at_once);
}

}  // namespace trimtab
