#include "import/onnx_view.h"

#include <algorithm>
#include <numeric>

#include "base/index.h"
#include "import/onnx_constant.h"

namespace trimtab::onnx_reader {
namespace {

[[nodiscard]] std::int64_t length_of(int axis, const Shape& value_shape) {
  return axis == batch_axis ? batch : value_shape.at(static_cast<std::size_t>(axis));
}

}  // namespace

View plain_view(ValueId value, const Shape& shape) {
  View view{value, {batch}, {batch_axis}};
  view.shape.insert(view.shape.end(), shape.begin(), shape.end());
  for (std::size_t axis = 0; axis < shape.size(); ++axis) view.order.push_back(static_cast<int>(axis));
  return view;
}

std::optional<std::vector<std::vector<int>>> axes_of_dimensions(const View& view, const Shape& value_shape) {
  std::vector<std::vector<int>> groups;
  std::size_t next = 0;
  for (const std::int64_t dimension : view.shape) {
    std::vector<int>& group = groups.emplace_back();
    if (dimension == batch || dimension == 1) {
      // a 1 is an axis of length 1 if one comes next, or else was inserted
      const bool takes = next < view.order.size() && length_of(view.order[next], value_shape) == dimension;
      if (takes) group.push_back(view.order[next++]);
      if (!takes && dimension == batch) return std::nullopt;
      continue;
    }
    std::int64_t product = 1;
    while (product < dimension && next < view.order.size()) {
      const std::int64_t length = length_of(view.order[next], value_shape);
      if (length == batch) return std::nullopt;
      product *= length;
      group.push_back(view.order[next++]);
    }
    if (product != dimension) return std::nullopt;
  }
  for (; next < view.order.size(); ++next) {
    if (length_of(view.order[next], value_shape) != 1) return std::nullopt;
    groups.back().push_back(view.order[next]);
  }
  return groups;
}

std::optional<std::vector<std::vector<int>>> long_axes_of_dimensions(const View& view, const Shape& value_shape) {
  auto groups = axes_of_dimensions(view, value_shape);
  if (!groups.has_value()) return groups;
  for (auto& group : *groups) {
    std::erase_if(group, [&](int axis) { return axis != batch_axis && length_of(axis, value_shape) == 1; });
  }
  return groups;
}

bool begins_with_batch(const View& view, const Shape& value_shape) {
  if (view.shape.empty() || view.shape[0] != batch) return false;
  const auto first =
      std::find_if(view.order.begin(), view.order.end(), [&](int axis) { return length_of(axis, value_shape) != 1; });
  return first != view.order.end() && *first == batch_axis;
}

bool is_plain(const View& view, const Shape& value_shape) {
  const auto axes = long_order(view, value_shape);
  return begins_with_batch(view, value_shape) && std::is_sorted(axes.begin(), axes.end());
}

Shape sample_shape(const View& view) { return {view.shape.begin() + 1, view.shape.end()}; }

std::vector<int> long_order(const View& view, const Shape& value_shape) {
  std::vector<int> axes;
  for (const int axis : view.order) {
    if (axis != batch_axis && length_of(axis, value_shape) != 1) axes.push_back(axis);
  }
  return axes;
}

std::vector<std::int64_t> element_order(const View& view, const Shape& value_shape) {
  std::vector<std::int64_t> strides(value_shape.size(), 1);
  for (std::size_t axis = value_shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * value_shape[axis];
  std::vector<std::int64_t> order{0};
  order.reserve(static_cast<std::size_t>(element_count(value_shape)));
  // from the outermost axis inwards, each index so far is followed by all of the next axis
  for (const int axis : long_order(view, value_shape)) {
    std::vector<std::int64_t> finer;
    finer.reserve(order.size() * static_cast<std::size_t>(length_of(axis, value_shape)));
    for (const std::int64_t base : order) {
      for (std::int64_t i = 0; i < length_of(axis, value_shape); ++i) {
        finer.push_back(base + i * nth(strides, axis));
      }
    }
    order = std::move(finer);
  }
  return order;
}

}  // namespace trimtab::onnx_reader
