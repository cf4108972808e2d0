#pragma once

#include <onnx/onnx_pb.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "import/onnx_model.h"
#include "import/tflite_constant.h"
#include "import/tflite_model.h"

namespace trimtab::tflite_reader {

/// Attributes of ONNX nodes.
[[nodiscard]] onnx::AttributeProto integer(const char* name, std::int64_t number);
[[nodiscard]] onnx::AttributeProto integers(const char* name, const std::vector<std::int64_t>& numbers);
[[nodiscard]] onnx::AttributeProto number(const char* name, float number);
[[nodiscard]] onnx::AttributeProto text(const char* name, const char* text);

/// A TensorFlow Lite network on its way into an ONNX model in memory, which the ONNX reader then reads: it knows how
/// layouts, constants and idioms become a Graph. Every tensor keeps its name and shape; images stay channels last, and
/// an operator that needs channels first stands between two Transposes, which cost nothing in the Graph.
class Translation {
 public:
  explicit Translation(const TfliteModel& model);

  // tensors of an operator
  [[nodiscard]] bool has(const TfliteOperator& node, std::size_t index) const;
  /// Input `index`. Throws Error (bad input) where it is left out.
  [[nodiscard]] const TfliteTensor& tensor(const TfliteOperator& node, std::size_t index) const;
  /// Output 0.
  [[nodiscard]] const TfliteTensor& result(const TfliteOperator& node) const;
  /// The ONNX name of input `index`; a constant is added to the model when it is first asked for.
  [[nodiscard]] std::string input(const TfliteOperator& node, std::size_t index);
  /// Input `index`, a constant of integers.
  [[nodiscard]] std::vector<std::int64_t> integers_of(const TfliteOperator& node, std::size_t index) const;
  /// Input `index`, a constant of one or more floats.
  [[nodiscard]] std::vector<float> floats_of(const TfliteOperator& node, std::size_t index);
  /// Input `index`, an image (four dimensions), channels first.
  [[nodiscard]] std::string image(const TfliteOperator& node, std::size_t index);

  // making nodes: each returns the name of what it makes
  std::string add(const TfliteOperator& node, const char* type, const std::vector<std::string>& inputs,
                  std::vector<onnx::AttributeProto> attributes = {}, const char* suffix = "");
  std::string channels_first(const TfliteOperator& node, const std::string& x);
  std::string channels_last(const TfliteOperator& node, const std::string& x);
  std::string reshaped(const TfliteOperator& node, const std::string& x, const Shape& shape);
  std::string clipped(const TfliteOperator& node, const std::string& x, float low, float high);
  std::string tanh(const TfliteOperator& node, const std::string& x);
  /// A constant of the model.
  std::string scalar(const TfliteOperator& node, float number);
  std::string floats(const TfliteOperator& node, const Shape& shape, const std::vector<float>& numbers);
  std::string whole(const TfliteOperator& node, const std::vector<std::int64_t>& numbers);

  /// `x` is output `index` of the operator.
  void finish_output(const TfliteOperator& node, std::size_t index, const std::string& x);
  /// The operator's output is the index of the largest of `x` along an axis: the reader of ONNX takes it where it ends
  /// the network, which then answers `x`.
  void finish_choice(const TfliteOperator& node, const std::string& x, std::int64_t axis);
  /// `x`, perhaps behind an activation function, is the operator's only output.
  void finish(const TfliteOperator& node, std::string x, tflite::Activation activation = tflite::Activation::NONE);

  /// "operator 'conv1' (CONV_2D) has ..."
  template <typename... Arguments>
  [[nodiscard]] static Error error(const TfliteOperator& node, fmt::format_string<Arguments...> format,
                                   Arguments&&... arguments) {
    return bad_input("operator '{}' ({}) {}", node.name, node.type,
                     fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  /// The whole network as a Graph. Throws Error (bad input) with a sentence that names every obstacle.
  [[nodiscard]] Graph graph(const std::string& name, const ImportOptions& options);

 private:
  [[nodiscard]] std::string fresh(const std::string& wish);
  [[nodiscard]] bool is_image_of_one_channel(std::int32_t input) const;
  void add_inputs();
  void add_outputs();
  [[nodiscard]] std::vector<bool> needed_operators() const;
  void note_grid(std::int32_t tensor);

  const TfliteModel& tflite_;
  onnx::ModelProto model_;
  onnx::GraphProto& graph_;
  onnx_reader::Budget budget_;
  std::int64_t elements_ = 0;            ///< of the constants of the model
  std::vector<std::string> onnx_names_;  ///< of the tensors
  std::vector<bool> added_;              ///< constants that the model has
  std::set<std::string> names_;
  std::map<std::string, int> repeated_;
  onnx_reader::Grids grids_;
};

using Translators = std::map<tflite::Code, std::function<void(Translation&, const TfliteOperator&)>>;

/// Convolutions, FULLY_CONNECTED, pools and reductions.
void add_layers(Translators& translators);
/// Functions of one value, arithmetics, padding and what only changes the shape.
void add_others(Translators& translators);
/// Parts of tensors, tensors of parts, and other orders of the same numbers.
void add_moves(Translators& translators);

}  // namespace trimtab::tflite_reader
