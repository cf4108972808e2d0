#include "program/program.h"

#include <algorithm>

namespace trimtab {
namespace {

template <typename T>
std::int64_t bytes_of(const std::vector<T>& items) {
  return static_cast<std::int64_t>(items.size() * sizeof(T));
}

}  // namespace

std::int64_t Buffer::bytes() const { return std::int64_t{height} * width * runtime::pixel_bytes(channels, grid.bits); }

runtime::Image image_of(const Program& program, BufferId id) {
  const Buffer& buffer = program.buffers.at(static_cast<std::size_t>(id));
  const Buffer* owner = &buffer;
  while (owner->parent.has_value()) owner = &program.buffers.at(static_cast<std::size_t>(*owner->parent));
  runtime::Image image{};
  image.height = static_cast<std::int16_t>(buffer.height);
  image.width = static_cast<std::int16_t>(buffer.width);
  image.channels = static_cast<std::int16_t>(buffer.channels);
  image.pixel_stride = static_cast<std::int16_t>(runtime::pixel_bytes(owner->channels, owner->grid.bits));
  image.format = {static_cast<std::uint8_t>(buffer.grid.bits), buffer.grid.is_signed};
  return image;
}

std::int64_t weights_bytes(const Program& program) {
  std::int64_t bytes = 0;
  for (const Step& step : program.steps) {
    const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
    if (convolution == nullptr) continue;
    bytes += (static_cast<std::int64_t>(convolution->weights.size()) * convolution->convolution.weight_bits + 7) / 8;
  }
  return bytes;
}

std::int64_t Step::multiply_accumulates() const {
  const auto* step = std::get_if<ConvolutionStep>(&operation);
  if (step == nullptr) return 0;
  const runtime::Image& image = step->convolution.output;
  return static_cast<std::int64_t>(step->weights.size()) * image.height * image.width;
}

std::int64_t Step::constant_bytes() const {
  return std::visit(overloaded{[](const ConvolutionStep& step) {
                                 const std::int64_t filters = step.convolution.output.channels;
                                 const std::int64_t size = static_cast<std::int64_t>(step.weights.size()) /
                                                           std::max<std::int64_t>(filters, 1);
                                 return filters * ((size * step.convolution.weight_bits + 7) / 8) +
                                        bytes_of(step.bias) + bytes_of(step.multiplier) + bytes_of(step.padding_value);
                               },
                               [](const AveragePoolStep& step) { return bytes_of(step.multiplier); },
                               [](const LookupStep& step) { return bytes_of(step.table); },
                               [](const auto&) { return std::int64_t{0}; }},
                    operation);
}

}  // namespace trimtab
