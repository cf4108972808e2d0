#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace trimtab::onnx_reader {

/// How an ONNX tensor that flows between operators lies in a value of the graph.
///
/// A value of the graph is always channels first, while the ONNX tensor may have been transposed and reshaped. As long
/// as that is only layout, nothing needs to be computed: `order` lists the value's axes (and the batch) in the order in
/// which the ONNX tensor's memory runs through them, and `shape` says how that memory is cut into dimensions. Transpose
/// permutes both; Reshape, Flatten, Squeeze and Unsqueeze change `shape` alone.
struct View {
  ValueId value = -1;
  Shape shape;             ///< ONNX's, with `batch` for the batch dimension
  std::vector<int> order;  ///< axes of the value; batch_axis for the batch
};

constexpr int batch_axis = -1;

/// The view of a value as ONNX would have it by default: the batch, then the value's own axes.
[[nodiscard]] View plain_view(ValueId value, const Shape& shape);

/// For every dimension of the ONNX tensor the axes of the value that make it up (none for an inserted 1), or nothing
/// where a dimension cuts an axis into parts. `value_shape` is that of the value.
[[nodiscard]] std::optional<std::vector<std::vector<int>>> axes_of_dimensions(const View& view,
                                                                              const Shape& value_shape);

/// As above, but without axes of length 1.
[[nodiscard]] std::optional<std::vector<std::vector<int>>> long_axes_of_dimensions(const View& view,
                                                                                   const Shape& value_shape);

/// Whether the ONNX tensor has the batch first and runs through the value's elements in their own order.
[[nodiscard]] bool is_plain(const View& view, const Shape& value_shape);

/// Whether the ONNX tensor has the batch first, in whatever order the value's elements follow.
[[nodiscard]] bool begins_with_batch(const View& view, const Shape& value_shape);

/// The ONNX shape without the batch, which must be first.
[[nodiscard]] Shape sample_shape(const View& view);

/// `order` without the batch and without axes of length 1.
[[nodiscard]] std::vector<int> long_order(const View& view, const Shape& value_shape);

/// For each element of a sample of the ONNX tensor, in its order, the index of that element in the value.
[[nodiscard]] std::vector<std::int64_t> element_order(const View& view, const Shape& value_shape);

}  // namespace trimtab::onnx_reader
