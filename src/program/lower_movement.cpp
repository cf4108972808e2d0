#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "program/lowering.h"

namespace trimtab {
namespace {

using Sources = std::vector<std::int64_t>;
constexpr std::int64_t padded = -1;

[[nodiscard]] Sources counted(std::int64_t count) {
  Sources sources(static_cast<std::size_t>(count));
  std::iota(sources.begin(), sources.end(), 0);
  return sources;
}

[[nodiscard]] Sources sources_of(const Gather& op, const Shape& in, const Shape& out) {
  const auto axis = in.begin() + op.axis;
  const std::int64_t block = element_count({axis + 1, in.end()});
  Sources sources;
  sources.reserve(static_cast<std::size_t>(element_count(out)));
  for (std::int64_t row = 0; row < element_count({in.begin(), axis}); ++row) {
    for (const std::int64_t index : op.indices) {
      for (std::int64_t i = 0; i < block; ++i) sources.push_back((row * *axis + index) * block + i);
    }
  }
  return sources;
}

[[nodiscard]] Sources sources_of(const Permute& op, const Shape& in, const Shape&) {
  const std::size_t rank = op.from.size();
  std::vector<std::int64_t> stride(rank, 1);
  for (std::size_t axis = rank; axis-- > 1;) stride[axis - 1] = stride[axis] * op.from[axis];
  Sources sources{0};
  sources.reserve(static_cast<std::size_t>(element_count(in)));
  for (const std::int64_t axis : op.order) {
    Sources finer;
    for (const std::int64_t source : sources) {
      for (std::int64_t i = 0; i < nth(op.from, axis); ++i) finer.push_back(source + i * nth(stride, axis));
    }
    sources = std::move(finer);
  }
  return sources;
}

[[nodiscard]] Sources sources_of(const Pad& op, const Shape& in, const Shape& out) {
  Sources sources;
  for (std::int64_t c = 0; c < out[0]; ++c) {
    for (std::int64_t y = -op.padding.top; y < out[1] - op.padding.top; ++y) {
      for (std::int64_t x = -op.padding.left; x < out[2] - op.padding.left; ++x) {
        const bool inside = y >= 0 && y < in[1] && x >= 0 && x < in[2];
        sources.push_back(inside ? (c * in[1] + y) * in[2] + x : padded);
      }
    }
  }
  return sources;
}

/// By element of the output, in the order of its graph's value: the element of the input that it is, or `padded`.
[[nodiscard]] Sources sources_of(const Operator& op, const Shape& in, const Shape& out) {
  return std::visit(
      overloaded{[&](const Gather& f) { return sources_of(f, in, out); },
                 [&](const Permute& f) { return sources_of(f, in, out); },
                 [&](const Pad& f) { return sources_of(f, in, out); },
                 [&](const Reshape&) { return counted(element_count(in)); },
                 [&](const auto&) -> Sources { throw failure("{} does not move numbers", operator_name(op)); }},
      op);
}

/// The tables of one axis of the output while they are found: pixels and channels of the input that its places add.
struct AxisTable {
  std::vector<std::int64_t> pixel;
  std::vector<std::int64_t> channel;
  std::vector<bool> outside;  ///< nothing but padding lies there

  explicit AxisTable(std::int32_t length)
      : pixel(static_cast<std::size_t>(length)), channel(pixel.size()), outside(pixel.size(), true) {}

  [[nodiscard]] std::int64_t first_inside() const {
    return std::find(outside.begin(), outside.end(), false) - outside.begin();
  }

  /// Makes the least numbers 0 and returns what they were.
  std::array<std::int64_t, 2> start_at_zero() {
    std::array<std::int64_t, 2> least{INT64_MAX, INT64_MAX};
    for (std::size_t i = 0; i < pixel.size(); ++i) {
      if (outside[i]) continue;
      least = {std::min(least[0], pixel[i]), std::min(least[1], channel[i])};
    }
    add(-least[0], -least[1]);
    return least;
  }
  void add(std::int64_t pixels, std::int64_t channels) {
    for (std::int64_t& p : pixel) p += pixels;
    for (std::int64_t& c : channel) c += channels;
  }

  [[nodiscard]] std::vector<std::uint32_t> entries() const {
    std::vector<std::uint32_t> result;
    for (std::size_t i = 0; i < pixel.size(); ++i) {
      const auto element = static_cast<std::uint32_t>(pixel[i] << runtime::movement_channel_bits | channel[i]);
      result.push_back(outside[i] ? runtime::no_element : element);
    }
    return result;
  }
};

/// The tables with which a value in `to` is made of one in `from`; nothing where rows, columns and channels do not add
/// up to the places of its elements.
[[nodiscard]] std::optional<MovementStep> tables_of(const Sources& sources, const Buffer& from, const Buffer& to) {
  const std::int64_t pixels = std::int64_t{from.height} * from.width;
  if (pixels > std::int64_t{1} << (32 - runtime::movement_channel_bits)) return std::nullopt;
  AxisTable rows(to.height);
  AxisTable columns(to.width);
  AxisTable channels(to.channels);
  const auto source = [&](std::int64_t y, std::int64_t x, std::int64_t c) {
    return nth(sources, (c * to.height + y) * to.width + x);
  };
  const auto for_all = [&](const auto& visit) {
    for (std::int64_t c = 0; c < to.channels; ++c) {
      for (std::int64_t y = 0; y < to.height; ++y) {
        for (std::int64_t x = 0; x < to.width; ++x) visit(y, x, c);
      }
    }
  };
  for_all([&](std::int64_t y, std::int64_t x, std::int64_t c) {
    if (source(y, x, c) != padded) nth(rows.outside, y) = nth(columns.outside, x) = nth(channels.outside, c) = false;
  });
  const std::int64_t y0 = rows.first_inside();
  const std::int64_t x0 = columns.first_inside();
  const std::int64_t c0 = channels.first_inside();
  if (c0 == to.channels || source(y0, x0, c0) == padded) return std::nullopt;
  const std::int64_t first = source(y0, x0, c0);
  const auto fill = [&](AxisTable& axis, const auto& source_at) {
    for (std::size_t i = 0; i < axis.pixel.size(); ++i) {
      const std::int64_t element = source_at(static_cast<std::int64_t>(i));
      axis.pixel[i] = element % pixels - first % pixels;
      axis.channel[i] = element / pixels - first / pixels;
    }
  };
  fill(rows, [&](std::int64_t y) { return source(y, x0, c0); });
  fill(columns, [&](std::int64_t x) { return source(y0, x, c0); });
  fill(channels, [&](std::int64_t c) { return source(y0, x0, c); });
  const auto least_row = rows.start_at_zero();
  const auto least_column = columns.start_at_zero();
  channels.add(first % pixels + least_row[0] + least_column[0], first / pixels + least_row[1] + least_column[1]);
  bool adds_up = true;
  for_all([&](std::int64_t y, std::int64_t x, std::int64_t c) {
    const bool outside = nth(rows.outside, y) || nth(columns.outside, x) || nth(channels.outside, c);
    const std::int64_t pixel = nth(rows.pixel, y) + nth(columns.pixel, x) + nth(channels.pixel, c);
    const std::int64_t channel = nth(rows.channel, y) + nth(columns.channel, x) + nth(channels.channel, c);
    const std::int64_t expected = source(y, x, c);
    adds_up = adds_up && (outside ? expected == padded : pixel == expected % pixels && channel == expected / pixels);
  });
  if (!adds_up) return std::nullopt;
  MovementStep step;
  step.rows = rows.entries();
  step.columns = columns.entries();
  step.channels = channels.entries();
  step.movement.box = {0,
                       0,
                       0,
                       static_cast<std::int16_t>(to.height),
                       static_cast<std::int16_t>(to.width),
                       static_cast<std::int16_t>(to.channels)};
  return step;
}

[[nodiscard]] bool has_padding(const Sources& sources) {
  return std::find(sources.begin(), sources.end(), padded) != sources.end();
}

}  // namespace

/// First what is done to `before`'s value, then what `after` does to the result; nothing where both pad with different
/// integers.
std::optional<Lowering::Moved> Lowering::composed(const Moved& before, Moved after) {
  if (has_padding(before.sources)) {
    if (has_padding(after.sources) && after.padding != before.padding) return std::nullopt;
    after.padding = before.padding;
  }
  after.from = before.from;
  for (std::int64_t& source : after.sources) {
    if (source != padded) source = nth(before.sources, source);
  }
  return after;
}

/// The integer that a layer pads with, at all points.
std::int32_t Lowering::padding_of(const Layer& layer) const {
  const auto* pad = std::get_if<Pad>(&operator_of(layer));
  if (pad == nullptr) return 0;
  const std::int32_t first = quantize(pad->value, grid_of(layer.output, 0));
  for (std::size_t k = 1; k < points(); ++k) {
    if (quantize(pad->value, grid_of(layer.output, k)) != first) {
      throw bad_input("layer '{}' pads with {}, which is another integer at every operating point", layer.name,
                      pad->value);
    }
  }
  return first;
}

/// A movement that another one alone reads is made together with it.
void Lowering::lower_movement(const Layer& layer) {
  if (!graph_.cuts_inputs(nth(graph_.nodes, layer.node))) check_same_grid(layer);
  const ValueId input = layer.inputs[0];
  Moved moved{layer.name, input, sources_of(operator_of(layer), graph_.shape_of(input), graph_.shape_of(layer.output)),
              padding_of(layer)};
  if (const auto before = moved_.find(input); before != moved_.end()) {
    const std::optional<Moved> both = composed(before->second, moved);
    const Buffer to = make_buffer(nth(graph_.values, layer.output), format_of(layer.output));
    if (both.has_value() && tables_of(both->sources, buffer(buffer_of(both->from)), to).has_value()) {
      moved = *both;
    } else {
      move(before->second, input);
    }
    moved_.erase(before);
  }
  const std::int64_t next = connections_.only_consumer(layer.output);
  const auto moves = [](const Operator& op) {
    return std::holds_alternative<Gather>(op) || std::holds_alternative<Permute>(op) || std::holds_alternative<Pad>(op);
  };
  if (next >= 0 && moves(nth(graph_.nodes, next).op)) {
    moved_[layer.output] = std::move(moved);
  } else {
    move(moved, layer.output);
  }
}

/// Neighbouring channels that begin at a byte are a part of the value that holds them; anything else is copied.
void Lowering::move(const Moved& moved, ValueId output) {
  const BufferId from = buffer_of(moved.from);
  Buffer to = make_buffer(nth(graph_.values, output), format_of(output));
  const Buffer& whole = buffer(from);
  const std::int64_t pixels = std::int64_t{whole.height} * whole.width;
  const std::int64_t first = moved.sources.front();
  bool neighbours = first != padded && first % pixels == 0 && to.height == whole.height && to.width == whole.width;
  for (std::size_t i = 0; neighbours && i < moved.sources.size(); ++i) {
    neighbours = moved.sources[i] == first + static_cast<std::int64_t>(i);
  }
  if (neighbours && first / pixels * to.grid.bits % 8 == 0 && output != graph_.output) {
    to.parent = from;
    to.parent_channel = static_cast<std::int32_t>(first / pixels);
    program_.buffers.push_back(std::move(to));
    buffers_[output] = static_cast<BufferId>(program_.buffers.size() - 1);
    return;
  }
  std::optional<MovementStep> step = tables_of(moved.sources, whole, to);
  if (!step.has_value()) {
    throw bad_input(
        "layer '{}' gives numbers an order in which rows, columns and channels of {} do not stay apart, which has no "
        "form for a device",
        moved.name, whole.name);
  }
  step->movement.padding = moved.padding;
  add_step(moved.name, std::move(*step), {from}, add_buffer(output), std::vector<PointNumbers>(points()));
}

/// Copies a value to its place in a concatenation. The grids are the same, but for those of several outputs.
void Lowering::copy_part(const Layer& layer, BufferId part, BufferId whole, runtime::Box box) {
  const Buffer& from = buffer(part);
  const bool fits = graph_.joins_outputs(nth(graph_.nodes, layer.node)) || from.grid == buffer(whole).grid;
  if (!fits) throw failure("layer '{}' joins values of different grids", layer.name);
  Buffer shape = from;
  shape.parent.reset();
  std::optional<MovementStep> step = tables_of(counted(from.elements()), from, shape);
  if (!step.has_value()) throw bad_input("layer '{}' joins images of more than 131,072 pixels", layer.name);
  box.height = step->movement.box.height;
  box.width = step->movement.box.width;
  box.channels = step->movement.box.channels;
  step->movement.box = box;
  add_step(layer.name, std::move(*step), {part}, whole, std::vector<PointNumbers>(points()));
}

/// A concatenation along rows or columns.
void Lowering::lower_joined(const Layer& layer, const Concat& op) {
  const BufferId whole = add_buffer(layer.output);
  runtime::Box place{};
  for (const ValueId input : layer.inputs) {
    const BufferId part = buffer_of(input);
    copy_part(layer, part, whole, place);
    (op.axis == 1 ? place.top : place.left) =
        static_cast<std::int16_t>(op.axis == 1 ? place.top + buffer(part).height : place.left + buffer(part).width);
  }
}

/// Only another view, where the integers can stay where they are.
void Lowering::lower_reshape(const Layer& layer) {
  check_same_grid(layer);
  const BufferId from = buffer_of(layer.inputs[0]);
  const Buffer to = make_buffer(nth(graph_.values, layer.output), format_of(layer.output));
  const bool same = to.height == buffer(from).height && to.width == buffer(from).width;
  // a vector of several pixels lies as its image does, which those know that read its elements by their number
  const auto takes_images = [&](std::int64_t reader) {
    const Operator& op = nth(graph_.nodes, reader).op;
    return std::holds_alternative<Linear>(op) || std::holds_alternative<Gather>(op) ||
           std::holds_alternative<Permute>(op) || std::holds_alternative<Reshape>(op);
  };
  const std::vector<std::int64_t>& readers = connections_.consumers(layer.output);
  const bool stays = graph_.shape_of(layer.output).size() == 1 && layer.output != graph_.output &&
                     std::all_of(readers.begin(), readers.end(), takes_images);
  if (same || stays) {
    buffers_[layer.output] = from;
  } else {
    lower_movement(layer);
  }
}

}  // namespace trimtab
