#include <algorithm>
#include <utility>

#include "import/tflite_translation.h"

// Parts of tensors, tensors of parts, and other orders of the same numbers.
namespace trimtab::tflite_reader {
namespace {

using tflite::Code;

/// An axis of a tensor of so many dimensions; -1 is the last one.
[[nodiscard]] std::int64_t checked_axis(const TfliteOperator& node, std::int64_t axis, std::size_t dimensions) {
  const auto rank = static_cast<std::int64_t>(dimensions);
  if (axis < -rank || axis >= rank) throw Translation::error(node, "has axis {} of {} dimensions", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

/// What is taken along each axis that is not taken whole.
struct Cut {
  std::vector<std::int64_t> starts, ends, axes, steps;
};

[[nodiscard]] std::string cut(Translation& network, const TfliteOperator& node, const std::string& x, const Cut& part,
                              const char* suffix = "") {
  if (part.axes.empty()) return x;
  return network.add(node, "Slice",
                     {x, network.whole(node, part.starts), network.whole(node, part.ends),
                      network.whole(node, part.axes), network.whole(node, part.steps)},
                     {}, suffix);
}

void slice(Translation& network, const TfliteOperator& node) {
  const Shape& shape = network.tensor(node, 0).shape;
  const auto begins = network.integers_of(node, 1);
  const auto sizes = network.integers_of(node, 2);  // -1: all that are left
  if (begins.size() != shape.size() || sizes.size() != shape.size()) {
    throw Translation::error(node, "has {} begins and {} sizes for {} dimensions", begins.size(), sizes.size(),
                             shape.size());
  }
  Cut part;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const std::int64_t length = shape[axis];
    if (begins[axis] < 0 || begins[axis] > length || sizes[axis] < -1 || sizes[axis] > length - begins[axis]) {
      throw Translation::error(node, "takes {} elements from {} on of a length of {}", sizes[axis], begins[axis],
                               length);
    }
    const std::int64_t end = sizes[axis] == -1 ? length : begins[axis] + sizes[axis];
    if (begins[axis] == 0 && end == length) continue;
    part.starts.push_back(begins[axis]);
    part.ends.push_back(end);
    part.axes.push_back(static_cast<std::int64_t>(axis));
    part.steps.push_back(1);
  }
  network.finish(node, cut(network, node, network.input(node, 0), part));
}

void strided_slice(Translation& network, const TfliteOperator& node) {
  const auto* options = node.table->options_as_Stride();
  if (options == nullptr) throw Translation::error(node, "lacks its options; the file is damaged");
  const Shape& shape = network.tensor(node, 0).shape;
  const auto begins = network.integers_of(node, 1);
  const auto ends = network.integers_of(node, 2);
  const auto steps = network.integers_of(node, 3);
  if (begins.size() > shape.size() || ends.size() != begins.size() || steps.size() != begins.size()) {
    throw Translation::error(node, "has {} begins, {} ends and {} steps for {} dimensions", begins.size(), ends.size(),
                             steps.size(), shape.size());
  }
  if (options->ellipsis_mask() != 0 || options->new_axis_mask() != 0) {
    throw Translation::error(node, "has an ellipsis or new axes, which is not supported");
  }
  Cut part;
  std::vector<std::int64_t> removed;
  for (std::size_t axis = 0; axis < begins.size(); ++axis) {
    const std::int64_t length = shape[axis];
    const auto masked = [axis](std::int32_t mask) { return (mask >> axis & 1) != 0; };
    const bool backward = steps[axis] < 0;
    std::int64_t start = begins[axis];
    if (masked(options->begin_mask())) start = backward ? length - 1 : 0;
    std::int64_t end = ends[axis] + (options->ends_are_lengths() ? begins[axis] : 0);
    if (masked(options->end_mask())) end = backward ? -length - 1 : length;
    std::int64_t step = steps[axis];
    if (masked(options->shrink_axis_mask())) {
      start += start < 0 ? length : 0;
      end = start + 1;
      step = 1;
      if (start < 0 || start >= length) throw Translation::error(node, "takes element {} of {}", begins[axis], length);
      if (axis == 0) throw Translation::error(node, "removes the batch");
      removed.push_back(static_cast<std::int64_t>(axis));
    }
    if (start == 0 && end == length && step == 1) continue;
    part.starts.push_back(start);
    part.ends.push_back(end);
    part.axes.push_back(static_cast<std::int64_t>(axis));
    part.steps.push_back(step);
  }
  std::string x = cut(network, node, network.input(node, 0), part);
  if (!removed.empty()) x = network.add(node, "Squeeze", {x, network.whole(node, removed)});
  network.finish(node, x);
}

/// Input `index` in consecutive parts of these lengths along the axis, one for each output. `each` ends a part.
template <typename Finish>
void split(Translation& network, const TfliteOperator& node, std::size_t index, std::int64_t axis,
           const std::vector<std::int64_t>& lengths, const Finish& each) {
  const std::int64_t length = network.tensor(node, index).shape[static_cast<std::size_t>(axis)];
  const std::string x = network.input(node, index);
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 1 || lengths[i] > length - begin) {
      throw Translation::error(node, "splits a length of {} into parts that do not fit", length);
    }
    const std::int64_t end = begin + lengths[i];
    const std::string suffix = i == 0 ? "" : fmt::format("/{}", i);
    const Cut part = lengths[i] == length ? Cut{} : Cut{{begin}, {end}, {axis}, {1}};
    network.finish_output(node, i, each(cut(network, node, x, part, suffix.c_str())));
    begin = end;
  }
  if (begin != length) throw Translation::error(node, "splits {} of a length of {}", begin, length);
}

[[nodiscard]] std::string as_it_is(std::string x) { return x; }

/// Input `index`, the constant number of one axis.
[[nodiscard]] std::int64_t axis_of(const Translation& network, const TfliteOperator& node, std::size_t index,
                                   const Shape& shape) {
  const auto numbers = network.integers_of(node, index);
  if (numbers.size() != 1) throw Translation::error(node, "has {} axes; one is needed", numbers.size());
  return checked_axis(node, numbers[0], shape.size());
}

/// Of input 1 into equal parts along the axis that is input 0.
void split_equally(Translation& network, const TfliteOperator& node) {
  const Shape& shape = network.tensor(node, 1).shape;
  const std::int64_t axis = axis_of(network, node, 0, shape);
  const auto parts = static_cast<std::int64_t>(node.outputs.size());
  const std::int64_t length = shape[static_cast<std::size_t>(axis)];
  if (parts == 0 || length % parts != 0) {
    throw Translation::error(node, "splits a length of {} into {} parts", length, parts);
  }
  split(network, node, 1, axis, std::vector<std::int64_t>(node.outputs.size(), length / parts), as_it_is);
}

/// Of input 0 into parts of the lengths that are input 1, one of which may be -1: what is left.
void split_by_lengths(Translation& network, const TfliteOperator& node) {
  const Shape& shape = network.tensor(node, 0).shape;
  const std::int64_t axis = axis_of(network, node, 2, shape);
  auto lengths = network.integers_of(node, 1);
  if (lengths.size() != node.outputs.size()) {
    throw Translation::error(node, "has {} lengths for {} outputs", lengths.size(), node.outputs.size());
  }
  std::int64_t left = shape[static_cast<std::size_t>(axis)];
  for (const std::int64_t length : lengths) left -= std::max<std::int64_t>(length, 0);
  if (const auto open = std::find(lengths.begin(), lengths.end(), -1); open != lengths.end()) *open = left;
  split(network, node, 0, axis, lengths, as_it_is);
}

void unpack(Translation& network, const TfliteOperator& node) {
  const auto* options = node.table->options_as_Unpack();
  if (options == nullptr) throw Translation::error(node, "lacks its axis; the file is damaged");
  const Shape& shape = network.tensor(node, 0).shape;
  const std::int64_t axis = checked_axis(node, options->axis(), shape.size());
  if (axis == 0) throw Translation::error(node, "removes the batch");
  split(network, node, 0, axis, std::vector<std::int64_t>(node.outputs.size(), 1), [&](const std::string& part) {
    return network.add(node, "Squeeze", {part, network.whole(node, {axis})});
  });
}

void pack(Translation& network, const TfliteOperator& node) {
  const auto* options = node.table->options_as_Pack();
  if (options == nullptr) throw Translation::error(node, "lacks its axis; the file is damaged");
  const std::int64_t axis = checked_axis(node, options->axis(), network.tensor(node, 0).shape.size() + 1);
  if (axis == 0) throw Translation::error(node, "puts a dimension in front of the batch");
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    parts.push_back(network.add(node, "Unsqueeze", {network.input(node, i), network.whole(node, {axis})}));
  }
  network.finish(node, network.add(node, "Concat", parts, {integer("axis", axis)}));
}

/// Of the constant indices along one axis.
void gather(Translation& network, const TfliteOperator& node) {
  const auto* options = node.table->options_as_Gather();
  const std::int64_t axis =
      checked_axis(node, options != nullptr ? options->axis() : 0, network.tensor(node, 0).shape.size());
  if (options != nullptr && options->batch_dimensions() != 0) {
    throw Translation::error(node, "gathers other elements for each sample, which is not supported");
  }
  if (network.tensor(node, 1).data.empty()) {
    throw Translation::error(node, "gathers elements that depend on the network's input, which is not supported");
  }
  network.finish(
      node, network.add(node, "Gather", {network.input(node, 0), network.input(node, 1)}, {integer("axis", axis)}));
}

void depth_and_space(Translation& network, const TfliteOperator& node) {
  const bool to_space = node.code == Code::DEPTH_TO_SPACE;
  const auto* options = to_space ? node.table->options_as_DepthToSpace() : node.table->options_as_SpaceToDepth();
  if (options == nullptr) throw Translation::error(node, "lacks its block size; the file is damaged");
  network.finish(node, network.channels_last(
                           node, network.add(node, to_space ? "DepthToSpace" : "SpaceToDepth", {network.image(node, 0)},
                                             {integer("blocksize", options->size())})));
}

/// Which of the channels is the largest.
void arg_max(Translation& network, const TfliteOperator& node) {
  network.finish_choice(node, network.input(node, 0), axis_of(network, node, 1, network.tensor(node, 0).shape));
}

}  // namespace

void add_moves(Translators& translators) {
  translators[Code::SLICE] = slice;
  translators[Code::STRIDED_SLICE] = strided_slice;
  translators[Code::SPLIT] = split_equally;
  translators[Code::SPLIT_V] = split_by_lengths;
  translators[Code::PACK] = pack;
  translators[Code::UNPACK] = unpack;
  translators[Code::GATHER] = gather;
  translators[Code::ARG_MAX] = arg_max;
  for (const Code code : {Code::DEPTH_TO_SPACE, Code::SPACE_TO_DEPTH}) translators[code] = depth_and_space;
}

}  // namespace trimtab::tflite_reader
