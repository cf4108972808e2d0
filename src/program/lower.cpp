#include "program/lower.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/index.h"
#include "graph/device_form.h"
#include "program/images.h"
#include "program/lowering.h"

namespace trimtab {

Buffer make_buffer(const Value& value, const ActivationGrid& grid) {
  for (const std::int64_t size : value.shape) {
    if (size > std::numeric_limits<std::int16_t>::max())
      throw bad_input("value '{}' is {}; a device takes at most 32767 per dimension", value.name,
                      to_string(value.shape));
  }
  Buffer buffer;
  buffer.name = value.name;
  buffer.grid = grid;
  buffer.channels = static_cast<std::int32_t>(value.shape.at(0));
  if (value.shape.size() == 3) {
    buffer.height = static_cast<std::int32_t>(value.shape[1]);
    buffer.width = static_cast<std::int32_t>(value.shape[2]);
  } else if (value.shape.size() != 1) {
    throw bad_input("value '{}' has {} dimensions; a device takes images and vectors", value.name, value.shape.size());
  }
  return buffer;
}

Lowering::Lowering(const LoweringInput& input, const Preprocessing& preprocessing,
                   const std::vector<std::string>& classes)
    : input_(input), graph_(*input.graph), connections_(graph_), layers_(fuse_layers(graph_)) {
  program_.name = graph_.name;
  program_.classes = classes;
  program_.preprocessing = preprocessing;
  program_.points.clear();
  for (const NumbersAtPoint& point : input.points) program_.points.push_back({point.plan, 0, {}});
}

Program Lowering::run() {
  program_.input = add_buffer(graph_.input);
  for (const Layer& layer : layers_) lower_layer(layer);
  program_.output = buffer_of(graph_.output);
  for (const JoinedPart& part : graph_.input_parts) program_.input_parts.push_back({part.name, part.shape, {}});
  for (const JoinedPart& part : graph_.output_parts) program_.output_parts.push_back({part.name, part.shape, {}});
  fill_part_grids();
  for (Step& step : program_.steps) fill_images(program_, step);
  return std::move(program_);
}

/// An input that nothing reads has any grid of the vector's bits and sign.
void Lowering::fill_part_grids() {
  for (ProgramPart& part : program_.input_parts) part.grid = buffer(program_.input).grid;
  for (const Node& node : graph_.nodes) {
    if (graph_.cuts_inputs(node)) {
      std::int64_t first = 0;
      for (ProgramPart& part : program_.input_parts) {
        if (std::get<Gather>(node.op).indices.front() == first) part.grid = format_of(node.output);
        first += element_count(part.shape);
      }
    }
    for (std::size_t i = 0; graph_.joins_outputs(node) && i < node.inputs.size(); ++i)
      program_.output_parts.at(i).grid = format_of(node.inputs[i]);
  }
}

const ActivationGrid& Lowering::grid_in(const std::vector<std::optional<ActivationGrid>>& grids, ValueId value) const {
  const auto& grid = grids.at(static_cast<std::size_t>(value));
  if (!grid.has_value()) throw failure("value '{}' has no grid", nth(graph_.values, value).name);
  return *grid;
}

BufferId Lowering::add_buffer(ValueId value) {
  program_.buffers.push_back(make_buffer(nth(graph_.values, value), format_of(value)));
  const auto id = static_cast<BufferId>(program_.buffers.size() - 1);
  buffers_[value] = id;
  return id;
}

void Lowering::add_step(const std::string& name, Operation operation, const std::vector<BufferId>& inputs,
                        BufferId output, std::vector<PointNumbers> numbers) {
  set_numbers(operation, numbers.front());
  const bool differ =
      std::any_of(numbers.begin(), numbers.end(), [&](const PointNumbers& other) { return other != numbers.front(); });
  if (!differ) numbers.clear();
  program_.steps.push_back({name, std::move(operation), inputs, output, std::move(numbers)});
}

void Lowering::add_step(const Layer& layer, Operation operation, const std::vector<BufferId>& inputs,
                        std::vector<PointNumbers> numbers) {
  const BufferId output = add_buffer(layer.output);
  add_step(layer.name, std::move(operation), inputs, output, std::move(numbers));
}

std::vector<PointNumbers> Lowering::output_ranges(const Layer& layer) const {
  const Saturation saturation = saturation_of(graph_, layer);
  std::vector<PointNumbers> numbers(points());
  for (std::size_t k = 0; k < points(); ++k) {
    const IntegerRange range = integer_range(saturation, grid_of(layer.output, k));
    numbers[k].output_minimum = range.low;
    numbers[k].output_maximum = range.high;
  }
  return numbers;
}

void Lowering::set_shifts(std::vector<PointNumbers>& numbers, const Requantization& requantization) {
  for (std::size_t k = 0; k < numbers.size(); ++k) numbers[k].shift = requantization.shift[k];
}

void Lowering::check_same_grid(const Layer& layer) const {
  for (std::size_t k = 0; k < points(); ++k) {
    if (grid_of(layer.inputs[0], k) != grid_of(layer.output, k))
      throw failure("layer '{}' changes the grid", layer.name);
  }
}

std::int16_t Lowering::narrow_zero_of(ValueId value) const {
  for (std::size_t k = 1; k < points(); ++k) {
    if (zero_of(value, k) != zero_of(value, 0))
      throw failure("value '{}' has different zero points", nth(graph_.values, value).name);
  }
  return static_cast<std::int16_t>(zero_of(value, 0));
}

void Lowering::lower_layer(const Layer& layer) {
  const Operator& op = operator_of(layer);
  switch (device_form(op)) {
    case DeviceForm::convolution:
      if (const auto* conv = std::get_if<Conv>(&op)) return lower_conv(layer, *conv);
      return lower_linear(layer, std::get<Linear>(op));
    case DeviceForm::channel_scale:
      return lower_affine(layer, std::get<Affine>(op));
    case DeviceForm::average_pool:
      if (const auto* pool = std::get_if<Pool>(&op)) return lower_average_pool(layer, *pool);
      return lower_global_pool(layer);
    case DeviceForm::max_pool:
      return lower_max_pool(layer, std::get<Pool>(op));
    case DeviceForm::addition:
      return lower_add(layer);
    case DeviceForm::multiplication:
      return lower_mul(layer);
    case DeviceForm::concatenation:
      return lower_concat(layer);
    case DeviceForm::view:
      return lower_reshape(layer);
    case DeviceForm::saturation:
    case DeviceForm::table:
      return lower_table(layer);
    case DeviceForm::shares:
      return lower_softmax(layer);
    case DeviceForm::movement:
      if (const auto* concat = std::get_if<Concat>(&op)) return lower_joined(layer, *concat);
      return lower_movement(layer);
    case DeviceForm::padding:
      return lower_movement(layer);
    case DeviceForm::normalization:
    case DeviceForm::probabilities:
      throw bad_input("layer '{}' is a {}, which has no integer form for a device", layer.name, operator_name(op));
  }
}

/// `input`, `output`: the values whose grids the buffers have.
void Lowering::lower_rescale(const Layer& layer, ValueId input, BufferId from, BufferId to) {
  RescaleStep step;
  std::vector<PointNumbers> numbers = output_ranges(layer);
  const auto same = [&](std::size_t k) { return grid_of(input, k) == grid_of(layer.output, k); };
  bool copies = true;
  for (std::size_t k = 0; k < points(); ++k) copies = copies && same(k);
  if (!copies) {
    const Requantization requantization =
        requantization_of(for_points([&](std::size_t k) { return scale_ratio(input, layer, k); }), layer.name);
    step.rescale.multiplier = requantization.multiplier[0];
    step.rescale.input_zero = narrow_zero_of(input);
    step.rescale.output_zero = narrow_zero_of(layer.output);
    set_shifts(numbers, requantization);
  }
  add_step(layer.name, step, {from}, to, std::move(numbers));
}

/// Parts are written where they belong; only a part that already lies elsewhere, has another grid or shares a byte with
/// another part is copied. Several outputs keep their grids.
void Lowering::lower_concat(const Layer& layer) {
  const BufferId whole = add_buffer(layer.output);
  const bool outputs = graph_.joins_outputs(nth(graph_.nodes, layer.node));
  std::int32_t channel = 0;
  for (const ValueId input : layer.inputs) {
    const BufferId part = buffer_of(input);
    if (outputs && !same_format(buffer(part).grid, buffer(whole).grid))
      throw bad_input("output '{}' cannot have the format of the others", nth(graph_.values, input).name);
    const std::int32_t channels = buffer(part).channels;
    const int bits = buffer(whole).grid.bits;
    const bool aligned = channel * bits % 8 == 0 && (channels * bits % 8 == 0 || input == layer.inputs.back());
    const bool movable = part != program_.input && !buffer(part).parent.has_value() &&
                         (outputs || buffer(part).grid == buffer(whole).grid) && aligned &&
                         std::count(layer.inputs.begin(), layer.inputs.end(), input) == 1;
    if (!aligned) {
      runtime::Box place{};
      place.first_channel = static_cast<std::int16_t>(channel);
      copy_part(layer, part, whole, place);
      channel += channels;
      continue;
    }
    BufferId target = part;
    if (!movable) {
      Buffer copy = buffer(part);
      copy.name = layer.name + "." + copy.name;
      if (!outputs) copy.grid = buffer(whole).grid;
      copy.parent.reset();
      program_.buffers.push_back(copy);
      target = static_cast<BufferId>(program_.buffers.size() - 1);
    }
    buffer(target).parent = whole;
    buffer(target).parent_channel = channel;
    if (!movable && outputs) {
      add_step(layer.name, RescaleStep{}, {part}, target, output_ranges(layer));
    } else if (!movable) {
      lower_rescale(layer, input, part, target);
    }
    channel += channels;
  }
}

Program lower(const QuantizedNetwork& network, const Preprocessing& preprocessing,
              const std::vector<std::string>& classes) {
  return Lowering(lowering_input(network), preprocessing, classes).run();
}

Program lower(const NestedNetwork& network, const std::vector<OperatingPoint>& points,
              const Preprocessing& preprocessing, const std::vector<std::string>& classes) {
  return Lowering(lowering_input(network, points), preprocessing, classes).run();
}

}  // namespace trimtab
