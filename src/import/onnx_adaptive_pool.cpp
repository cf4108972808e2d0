#include "import/onnx_adaptive_pool.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "base/index.h"
#include "base/random.h"

namespace trimtab::onnx_reader {
namespace {

using Indices = std::vector<std::int64_t>;

/// Numbers that looking for a pool may compute.
constexpr std::int64_t most_numbers = std::int64_t{1} << 26;

struct Window {
  std::int64_t begin;
  std::int64_t end;
  [[nodiscard]] std::int64_t length() const { return end - begin; }
};

/// As PyTorch cuts a length into `count` windows.
[[nodiscard]] std::vector<Window> windows_of(std::int64_t length, std::int64_t count) {
  std::vector<Window> windows;
  for (std::int64_t i = 0; i < count; ++i)
    windows.push_back({i * length / count, ((i + 1) * length + count - 1) / count});
  return windows;
}

/// Whether `pooled`, 1 x C x height x width, is the pool of the image.
[[nodiscard]] bool is_pool_of(const Constant& pooled, const std::vector<float>& image, const Shape& shape) {
  const bool fits = !pooled.integral && pooled.shape.size() == 4 && pooled.shape[0] == 1 &&
                    pooled.shape[1] == shape[0] && pooled.shape[2] <= shape[1] && pooled.shape[3] <= shape[2];
  if (!fits) return false;
  const std::vector<Window> rows = windows_of(shape[1], pooled.shape[2]);
  const std::vector<Window> columns = windows_of(shape[2], pooled.shape[3]);
  std::size_t at = 0;
  for (std::int64_t c = 0; c < shape[0]; ++c) {
    for (const Window& row : rows) {
      for (const Window& column : columns) {
        double sum = 0;
        for (std::int64_t y = row.begin; y < row.end; ++y) {
          for (std::int64_t x = column.begin; x < column.end; ++x) sum += nth(image, (c * shape[1] + y) * shape[2] + x);
        }
        const double mean = sum / static_cast<double>(row.length() * column.length());
        if (!(std::abs(mean - pooled.floats[at++]) < 1e-5)) return false;
      }
    }
  }
  return true;
}

/// Means over the windows of an axis, 1 or 2. Windows of the same length are put side by side and pooled together.
[[nodiscard]] ValueId pooled_along(Import& import, const OnnxNode& node, ValueId value, std::int64_t axis,
                                   std::int64_t count) {
  const std::vector<Window> windows = windows_of(nth(import.shape_of(value), axis), count);
  std::map<std::int64_t, Indices> by_length;
  for (std::int64_t i = 0; i < count; ++i) by_length[nth(windows, i).length()].push_back(i);
  std::vector<ValueId> parts;
  Indices places(static_cast<std::size_t>(count));
  std::int64_t next = 0;
  for (const auto& [length, members] : by_length) {
    Gather pixels{axis, {}};
    for (const std::int64_t i : members) {
      for (std::int64_t x = nth(windows, i).begin; x < nth(windows, i).end; ++x) pixels.indices.push_back(x);
      nth(places, i) = next++;
    }
    Pool mean;
    mean.kind = PoolKind::average;
    mean.kernel = mean.stride = axis == 1 ? std::array{length, std::int64_t{1}} : std::array{std::int64_t{1}, length};
    parts.push_back(import.emit(node, mean, {import.emit(node, std::move(pixels), {value}, "/windows")}, "/mean"));
  }
  if (parts.size() == 1) return parts[0];
  const ValueId joined = import.emit(node, Concat{axis}, std::move(parts), "/join");
  return import.emit(node, Gather{axis, std::move(places)}, {joined}, "/order");
}

}  // namespace

std::optional<AdaptivePool> find_adaptive_pool(Import& import, const onnx::GraphProto& graph, int first,
                                               std::int64_t opset) try {
  const OnnxNode gather(graph.node(first), opset);
  const View& view = import.view(gather, 0);
  const Shape shape = import.shape_of(view);
  if (shape.size() != 3 || std::ranges::count(view.shape, batch) != 1) return std::nullopt;
  Random random(1);
  std::vector<float> image(static_cast<std::size_t>(element_count(shape)));
  for (float& x : image) x = static_cast<float>(random.uniform());
  auto data = std::make_shared<Constant>();
  data->shape = view.shape;
  std::ranges::replace(data->shape, batch, std::int64_t{1});
  for (const std::int64_t element : element_order(view, shape)) data->floats.push_back(nth(image, element));

  Budget budget(most_numbers);
  std::map<std::string, ConstantPointer> computed{{gather.proto().input(0), data}};
  AdaptivePool pool;
  for (int i = first; i < graph.node_size(); ++i) {
    const OnnxNode node(graph.node(i), opset);
    const auto& names = node.proto().input();
    const bool reads = std::ranges::any_of(names, [&](const std::string& name) { return computed.contains(name); });
    if (!reads || (i > first && std::ranges::count(names, gather.proto().input(0)) > 0)) continue;
    if (!can_evaluate(node)) return std::nullopt;
    std::vector<ConstantPointer> inputs;
    for (int k = 0; k < names.size(); ++k) {
      const auto found = computed.find(names[k]);
      if (found == computed.end() && import.has_input(node, k) && !import.is_constant(node, k)) return std::nullopt;
      inputs.push_back(found != computed.end() ? found->second : import.constant(node, k));
    }
    const auto result = std::make_shared<const Constant>(evaluate(node, inputs, budget));
    computed[node.proto().output(0)] = result;
    pool.nodes.insert(i);
    if (!is_pool_of(*result, image, shape)) continue;
    pool.output = node.proto().output(0);
    pool.height = result->shape[2];
    pool.width = result->shape[3];
    return pool;
  }
  return std::nullopt;
} catch (const Error&) {  // a node behind the GatherND cannot be run on constants
  return std::nullopt;
}

void import_adaptive_pool(Import& import, const OnnxNode& first, const AdaptivePool& pool) {
  ValueId value = import.view(first, 0).value;
  value = pooled_along(import, first, value, 1, pool.height);
  value = pooled_along(import, first, value, 2, pool.width);
  import.define(pool.output, plain_view(value, import.shape_of(value)));
}

}  // namespace trimtab::onnx_reader
