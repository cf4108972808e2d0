#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "import/onnx_node.h"

namespace trimtab::onnx_reader {

/// Stands for the free batch dimension, in ONNX shapes and in the results of Shape.
constexpr std::int64_t batch = std::numeric_limits<std::int64_t>::min();

/// "Nx3x32x32".
[[nodiscard]] std::string describe_shape(const Shape& shape);

/// A tensor known when the model is read. Its elements are floats or integers, in C order.
struct Constant {
  Shape shape;
  bool integral = false;
  std::vector<float> floats;           ///< empty where `integral`
  std::vector<std::int64_t> integers;  ///< empty where not `integral`
  int type = 0;                        ///< TensorProto's type that the integers were stored in; 0: computed ones

  [[nodiscard]] std::int64_t size() const { return element_count(shape); }
};

/// Types that libonnx may be too old to name.
constexpr int uint4_type = 21;
constexpr int int4_type = 22;

/// No constant has more elements: products of two dimensions never overflow.
constexpr std::int64_t most_elements = std::int64_t{1} << 31;

/// The number of elements. Throws Error (bad input), naming `what`, where the shape is negative, too large, or of no
/// elements in more than one dimension.
[[nodiscard]] std::int64_t checked_count(const Shape& shape, const std::string& what);

using ConstantPointer = std::shared_ptr<const Constant>;

/// Counts the elements that reading has made, so that a small file cannot ask for much memory.
class Budget {
 public:
  explicit Budget(std::int64_t elements) : left_(elements) {}
  /// Throws Error (bad input) where the file would need more than its size justifies.
  void charge(std::int64_t elements);

 private:
  std::int64_t left_;
};

/// Reads an ONNX tensor: float, double and float16 become floats, the integer types and bool become integers. `what`
/// names it in errors (bad input).
[[nodiscard]] Constant decode_tensor(const onnx::TensorProto& tensor, const std::string& what, Budget& budget);

/// The result of an operator on constants; `inputs` may hold null for those left out. Throws Error (bad input) where
/// the operator is not one that can be evaluated here.
[[nodiscard]] Constant evaluate(const OnnxNode& node, const std::vector<ConstantPointer>& inputs, Budget& budget);

/// Whether `evaluate` knows the operator.
[[nodiscard]] bool can_evaluate(const OnnxNode& node);

/// The axes of a tensor of `rank` dimensions, negative ones counted from the end. Throws Error (bad input) where they
/// are out of range or repeated.
[[nodiscard]] std::vector<std::int64_t> normalize_axes(const OnnxNode& node, std::vector<std::int64_t> axes,
                                                       std::size_t rank);

/// Shape after Squeeze (no `axes`: of all that are 1) and Unsqueeze; dimensions may be `batch`.
[[nodiscard]] Shape squeeze_shape(const OnnxNode& node, const Shape& shape, std::vector<std::int64_t> axes);
[[nodiscard]] Shape unsqueeze_shape(const OnnxNode& node, const Shape& shape, std::vector<std::int64_t> axes);

/// The permutation of a Transpose over `rank` axes. Throws Error (bad input) where it is none.
[[nodiscard]] std::vector<std::size_t> transpose_permutation(const OnnxNode& node, std::size_t rank);

}  // namespace trimtab::onnx_reader
