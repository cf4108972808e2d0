#include "program/program.h"

#include <algorithm>

#include "base/error.h"
#include "plan/nested_network.h"
#include "trimtab/convolution_nested.h"

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

namespace {

std::vector<ActivationGrid> grids_of(const Buffer& whole, const std::vector<ProgramPart>& parts) {
  if (parts.empty()) return std::vector(static_cast<std::size_t>(whole.elements()), whole.grid);
  std::vector<ActivationGrid> grids;
  for (const ProgramPart& part : parts)
    grids.insert(grids.end(), static_cast<std::size_t>(element_count(part.shape)), part.grid);
  return grids;
}

}  // namespace

std::vector<JoinedPart> without_grids(const std::vector<ProgramPart>& parts) {
  std::vector<JoinedPart> result;
  for (const ProgramPart& part : parts) result.push_back({part.name, part.shape});
  return result;
}

std::vector<ActivationGrid> input_grids(const Program& program) {
  return grids_of(nth(program.buffers, program.input), program.input_parts);
}

std::vector<ActivationGrid> output_grids(const Program& program) {
  return grids_of(nth(program.buffers, program.output), program.output_parts);
}

std::int64_t weights_bytes(const Program& program) {
  std::int64_t bytes = 0;
  for (const Step& step : program.steps) {
    const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
    if (convolution == nullptr) continue;
    bytes += dense_bytes(std::ssize(convolution->weights), stored_bits(*convolution));
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
  const std::int64_t own = std::visit(
      overloaded{[](const ConvolutionStep& step) {
                   return packed_bytes(std::ssize(step.weights), step.convolution.output.channels, stored_bits(step)) +
                          bytes_of(step.bias) + bytes_of(step.multiplier) + bytes_of(step.padding_value);
                 },
                 [](const AveragePoolStep& step) { return bytes_of(step.multiplier); },
                 [](const LookupStep& step) { return bytes_of(step.table); },
                 [](const SoftmaxStep& step) { return bytes_of(step.table); },
                 [](const MovementStep& step) {
                   return bytes_of(step.rows) + bytes_of(step.columns) + bytes_of(step.channels);
                 },
                 [](const auto&) { return std::int64_t{0}; }},
      operation);
  std::int64_t more = std::ssize(points) * static_cast<std::int64_t>(sizeof(std::uint32_t) * 4);  // rt::PointNumbers
  for (std::size_t k = 1; k < points.size(); ++k) {
    const auto same = std::find_if(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(k),
                                   [&](const PointNumbers& other) { return other.bias == points[k].bias; });
    if (same == points.begin() + static_cast<std::ptrdiff_t>(k)) more += bytes_of(points[k].bias);
  }
  return own + more;
}

int stored_bits(const ConvolutionStep& step) {
  return step.weight_code == WeightCode::nested ? stored_weight_bits : step.convolution.weight_bits;
}

std::int32_t integer_weight(const ConvolutionStep& step, std::size_t index, int weight_bits) {
  const std::int16_t stored = step.weights[index];
  if (step.weight_code == WeightCode::integer) return stored;
  return 2 * runtime::nested_digits(static_cast<std::int8_t>(stored), weight_bits) + 1;
}

PointNumbers numbers_of(const Operation& operation) {
  return std::visit(
      [](const auto& step) {
        const auto& descriptor = descriptor_of(step);
        PointNumbers numbers;
        if constexpr (requires { step.bias; }) numbers.bias = step.bias;
        if constexpr (requires { descriptor.weight_bits; }) numbers.weight_bits = descriptor.weight_bits;
        if constexpr (requires { descriptor.shift; }) numbers.shift = descriptor.shift;
        if constexpr (requires { descriptor.output_minimum; }) {
          numbers.output_minimum = descriptor.output_minimum;
          numbers.output_maximum = descriptor.output_maximum;
        }
        return numbers;
      },
      operation);
}

void set_numbers(Operation& operation, const PointNumbers& numbers) {
  std::visit(
      [&](auto& step) {
        auto& descriptor = descriptor_of(step);
        if constexpr (requires { step.bias; }) step.bias = numbers.bias;
        if constexpr (requires { descriptor.weight_bits; }) descriptor.weight_bits = numbers.weight_bits;
        if constexpr (requires { descriptor.shift; }) descriptor.shift = numbers.shift;
        if constexpr (requires { descriptor.output_minimum; }) {
          descriptor.output_minimum = numbers.output_minimum;
          descriptor.output_maximum = numbers.output_maximum;
        }
      },
      operation);
}

Program program_at(const Program& program, std::size_t point) {
  if (point >= program.points.size()) {
    throw failure("the program has {} operating points; there is no number {}", program.points.size(), point);
  }
  Program single = program;
  for (Step& step : single.steps) {
    if (step.points.empty()) continue;
    set_numbers(step.operation, step.points[point]);
    step.points.clear();
  }
  single.points = {program.points[point]};
  return single;
}

PlaceInOwner place_in_owner(const Program& program, BufferId buffer) {
  PlaceInOwner place{buffer, 0};
  while (nth(program.buffers, place.owner).parent.has_value()) {
    const Buffer& part = nth(program.buffers, place.owner);
    place.offset += std::int64_t{part.parent_channel} * part.grid.bits / 8;
    place.owner = *part.parent;
  }
  return place;
}

}  // namespace trimtab
