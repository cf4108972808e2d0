#include "import/onnx_import.h"

#include <utility>

namespace trimtab::onnx_reader {

void Import::define(const std::string& name, Constant constant) {
  items_[name] = std::make_shared<const Constant>(std::move(constant));
}

void Import::define(const onnx::TensorProto& tensor) { items_[tensor.name()] = &tensor; }

bool Import::has_input(const OnnxNode& node, int index) const {
  return index < node.proto().input_size() && !node.proto().input(index).empty();
}

const Import::Item& Import::item(const OnnxNode& node, int index) const {
  if (!has_input(node, index)) throw node.error("lacks its input {}", index);
  const std::string& name = node.proto().input(index);
  const auto found = items_.find(name);
  if (found == items_.end()) {
    throw node.error("reads '{}', which no earlier node makes; the model is cyclic, not sorted or incomplete",
                     clean_name(name));
  }
  return found->second;
}

bool Import::is_constant(const OnnxNode& node, int index) const {
  return !std::holds_alternative<View>(item(node, index));
}

const View& Import::view(const OnnxNode& node, int index) const {
  const auto* view = std::get_if<View>(&item(node, index));
  if (view == nullptr) {
    throw node.error("reads the constant '{}' where a value that depends on the input is needed",
                     clean_name(node.proto().input(index)));
  }
  return *view;
}

ConstantPointer Import::constant(const OnnxNode& node, int index) {
  if (!has_input(node, index)) return nullptr;
  const Item& found = item(node, index);
  if (const auto* constant = std::get_if<ConstantPointer>(&found)) return *constant;
  const std::string& name = node.proto().input(index);
  if (const auto* tensor = std::get_if<const onnx::TensorProto*>(&found)) {
    auto decoded = std::make_shared<const Constant>(
        decode_tensor(**tensor, fmt::format("the initializer '{}'", clean_name(name)), budget_));
    items_[name] = decoded;
    return decoded;
  }
  throw node.error("reads '{}', which depends on the network's input, where a constant is needed", clean_name(name));
}

Tensor Import::parameter(const OnnxNode& node, int index, const char* what) {
  const ConstantPointer found = constant(node, index);
  if (found == nullptr) throw node.error("lacks its {}", what);
  if (found->integral) throw node.error("has a {} of integers; float32 is needed", what);
  budget_.charge(found->size());
  return {found->shape, found->floats};
}

std::vector<std::int64_t> Import::integers(const OnnxNode& node, const char* attribute, int index) {
  const ConstantPointer found = constant(node, index);
  if (found == nullptr) return node.integers(attribute);
  if (!found->integral) throw node.error("has {} that are not integers", attribute);
  budget_.charge(found->size());
  return found->integers;
}

ValueId Import::add_input(const std::string& name, Shape shape) {
  graph_.values.push_back({clean_name(name), std::move(shape)});
  return static_cast<ValueId>(graph_.values.size() - 1);
}

ValueId Import::emit(const OnnxNode& node, Operator op, std::vector<ValueId> inputs, const char* suffix) {
  Node made{node.name() + suffix, std::move(op), std::move(inputs), -1};
  const std::string base = made.name;
  while (!names_.insert(made.name).second) made.name = fmt::format("{}_{}", base, ++repeated_[base] + 1);
  std::vector<Shape> shapes;
  for (const ValueId input : made.inputs) shapes.push_back(shape_of(input));
  Shape shape = infer_shape(made, shapes);
  made.output = static_cast<ValueId>(graph_.values.size());
  graph_.values.push_back({made.name, std::move(shape)});
  graph_.nodes.push_back(std::move(made));
  return graph_.nodes.back().output;
}

ValueId Import::reshaped(const OnnxNode& node, ValueId value, const Shape& shape) {
  if (shape_of(value) == shape) return value;
  const auto [position, fresh] = reshaped_.try_emplace({value, shape}, -1);
  if (fresh) position->second = emit(node, Reshape{shape}, {value}, "/reshape");
  return position->second;
}

View Import::plain(const OnnxNode& node, const View& view) {
  const Shape own = shape_of(view);
  Shape shape = sample_shape(view);
  if (shape.empty()) shape = {1};
  if (shape.size() == 2) shape = {shape[0], 1, shape[1]};
  ValueId value = view.value;
  if (!is_plain(view, own)) {
    if (!begins_with_batch(view, own))
      throw node.error("mixes the batch with other dimensions, which is not supported");
    Permute turn{own, {}, shape};
    for (const int axis : long_order(view, own)) turn.order.push_back(axis);
    for (std::size_t axis = 0; axis < own.size(); ++axis) {
      if (own[axis] == 1) turn.order.push_back(static_cast<std::int64_t>(axis));
    }
    value = emit(node, std::move(turn), {value}, "/order");
  }
  View result = plain_view(reshaped(node, value, shape), shape);
  result.shape = view.shape;
  return result;
}

void Import::set_like(const OnnxNode& node, View view, ValueId value) {
  view.value = value;
  set(node, std::move(view));
}

void Import::set_grid(const std::string& name, const SourceGrid& grid) {
  const auto* view = std::get_if<View>(&items_.at(name));
  if (view == nullptr) return;
  Value& value = graph_.values.at(static_cast<std::size_t>(view->value));
  if (!value.grid.has_value()) value.grid = grid;
}

void Import::set_integers(const std::string& name, const SourceGrid& grid) {
  integers_[name] = grid;
  set_grid(name, grid);
}

std::optional<SourceGrid> Import::integers_of(const std::string& name) const {
  const auto found = integers_.find(name);
  return found == integers_.end() ? std::nullopt : std::optional(found->second);
}

int axis_of_dimension(const Import& import, const View& view, std::int64_t dimension) {
  const auto groups = axes_of_dimensions(view, import.shape_of(view));
  if (!groups.has_value()) return -1;
  std::vector<int> group = groups->at(static_cast<std::size_t>(dimension));
  if (group.size() > 1)
    group = (*long_axes_of_dimensions(view, import.shape_of(view))).at(static_cast<std::size_t>(dimension));
  return group.size() == 1 && group[0] != batch_axis ? group[0] : -1;
}

std::int64_t own_axis(Import& import, const OnnxNode& node, View& view, std::int64_t dimension) {
  const int axis = axis_of_dimension(import, view, dimension);
  if (axis >= 0) return axis;
  view = import.plain(node, view);
  return plain_axis(view, dimension);
}

}  // namespace trimtab::onnx_reader
