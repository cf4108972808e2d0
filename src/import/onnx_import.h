#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "import/onnx_constant.h"
#include "import/onnx_node.h"
#include "import/onnx_view.h"

namespace trimtab::onnx_reader {

/// The state of reading one model: the graph so far, and what each ONNX name stands for. The operators, one function
/// each, are in onnx_layers.cpp, onnx_elementwise.cpp and onnx_layout.cpp.
class Import {
 public:
  Import(std::string name, std::int64_t budget) : budget_(budget) { graph_.name = std::move(name); }

  // ONNX names
  void define(const std::string& name, View view) { items_[name] = std::move(view); }
  void define(const std::string& name, Constant constant);
  /// An initializer: decoded when it is first read.
  void define(const onnx::TensorProto& tensor);
  [[nodiscard]] bool defined(const std::string& name) const { return items_.count(name) > 0; }

  // inputs of a node
  [[nodiscard]] bool has_input(const OnnxNode& node, int index) const;
  [[nodiscard]] bool is_constant(const OnnxNode& node, int index) const;
  /// Input `index`, which must be made by operators. Throws Error (bad input) otherwise.
  [[nodiscard]] const View& view(const OnnxNode& node, int index) const;
  /// Input `index`, which must be known now; null where it is left out. Throws Error (bad input) otherwise.
  [[nodiscard]] ConstantPointer constant(const OnnxNode& node, int index);
  /// A constant of floats, as the parameters of an operator: checked to be float and copied. `what` names it.
  [[nodiscard]] Tensor parameter(const OnnxNode& node, int index, const char* what);
  /// Integers of an attribute that became input `index` in a later opset.
  [[nodiscard]] std::vector<std::int64_t> integers(const OnnxNode& node, const char* attribute, int index);

  // making graph nodes
  [[nodiscard]] const Shape& shape_of(ValueId value) const { return graph_.shape_of(value); }
  [[nodiscard]] const Shape& shape_of(const View& view) const { return graph_.shape_of(view.value); }
  [[nodiscard]] ValueId add_input(const std::string& name, Shape shape);
  /// Adds a node and returns its output; named after `node`, made unique, with the
  /// suffix where it is a helper.
  ValueId emit(const OnnxNode& node, Operator op, std::vector<ValueId> inputs, const char* suffix = "");
  /// The same ONNX tensor over a value that has its elements in their order: adds a Reshape where needed. The value has
  /// the tensor's shape, but a sequence is an image of height 1 and a number for each sample a vector of one. Throws
  /// Error (bad input), naming `node`, where the batch is not the first dimension.
  [[nodiscard]] View plain(const OnnxNode& node, const View& view);
  [[nodiscard]] ValueId reshaped(const OnnxNode& node, ValueId value, const Shape& shape);

  /// Output 0 of an ONNX node.
  void set(const OnnxNode& node, View view) { define(node.proto().output(0), std::move(view)); }
  void set(const OnnxNode& node, Constant constant) { define(node.proto().output(0), std::move(constant)); }
  /// The output of an element-by-element operator, which lies as its input does.
  void set_like(const OnnxNode& node, View view, ValueId value);

  /// A value that is nobody's yet gets the grid of the tensor `name`, if it stands for a value.
  void set_grid(const std::string& name, const SourceGrid& grid);

  /// The tensor `name` holds the integers of a quantized network: its value gets their grid.
  void set_integers(const std::string& name, const SourceGrid& grid);
  [[nodiscard]] std::optional<SourceGrid> integers_of(const std::string& name) const;

  [[nodiscard]] Budget& budget() { return budget_; }
  [[nodiscard]] Graph& graph() { return graph_; }

 private:
  using Item = std::variant<ConstantPointer, const onnx::TensorProto*, View>;
  [[nodiscard]] const Item& item(const OnnxNode& node, int index) const;

  Graph graph_;
  std::map<std::string, Item> items_;
  std::set<std::string> names_;
  std::map<std::string, int> repeated_;
  std::map<std::pair<ValueId, Shape>, ValueId> reshaped_;
  std::map<std::string, SourceGrid> integers_;
  Budget budget_;
};

using Operators = std::map<std::string, std::function<void(Import&, const OnnxNode&)>>;

/// Conv, Gemm, MatMul, BatchNormalization, pools and Softmax.
void add_layers(Operators& operators);
/// Activation functions that the graph has operators for, and arithmetics.
void add_elementwise(Operators& operators);
/// All other functions of one number.
void add_functions(Operators& operators);
/// Operators that move data, and Shape.
void add_layout(Operators& operators);
/// Slice, Split, Gather, Pad and what moves pixels to channels and back.
void add_moves(Operators& operators);
/// Resize, Upsample and ConvTranspose.
void add_upsampling(Operators& operators);
/// Sums, means and extrema over axes.
void add_reductions(Operators& operators);

/// QuantizeLinear and DequantizeLinear.
void add_quantization(Operators& operators);
/// The node that does with real numbers as `node` does with the integers that stand for them: itself, where it only
/// moves them; with other constants for Clip and Pad. Empty for other operators.
[[nodiscard]] std::optional<onnx::NodeProto> on_real_numbers(Import& import, const OnnxNode& node,
                                                             const SourceGrid& grid);

/// Why no ConvNet on a small device has the operator.
[[nodiscard]] std::string reason_against(const std::string& type);

/// Emits an operator that works element by element on input 0.
void emit_like(Import& import, const OnnxNode& node, Operator op);

/// Input `index` as one number; `otherwise` where it is left out. Throws Error (bad input) where it is not one float.
[[nodiscard]] float scalar_of(Import& import, const OnnxNode& node, int index, float otherwise);

/// Elements of one dimension: parts, other orders, repetitions.
[[nodiscard]] View gather_elements(Import& import, const OnnxNode& node, View view, std::int64_t dimension,
                                   std::vector<std::int64_t> indices, const char* suffix = "");

/// Applies constants of an Add, Sub, Mul or Div to a view: emits an Affine.
enum class Arithmetic { add, subtract, subtract_from, multiply, divide };
[[nodiscard]] View apply_constant(Import& import, const OnnxNode& node, View view, const Constant& constant,
                                  Arithmetic arithmetic);

/// The axis of a plain view's value for dimension `dimension`: a sequence is an image of height 1.
[[nodiscard]] inline std::int64_t plain_axis(const View& view, std::int64_t dimension) {
  return view.shape.size() == 3 && dimension == 2 ? 2 : dimension - 1;
}

/// The axis of the value that dimension `dimension` is made of, or -1 where it is none, several or part of one.
[[nodiscard]] int axis_of_dimension(const Import& import, const View& view, std::int64_t dimension);

/// The same; the view becomes plain where there is none. Throws Error (bad input) as `Import::plain` does.
[[nodiscard]] std::int64_t own_axis(Import& import, const OnnxNode& node, View& view, std::int64_t dimension);

}  // namespace trimtab::onnx_reader
