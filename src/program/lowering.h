#pragma once

// The inside of lower(). The form of a layer's operator (graph/device_form.h) says which function lowers it: those that
// compute are in lower_convolution.cpp and lower_arithmetic.cpp, those that only move numbers in lower_movement.cpp.

#include <array>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/index.h"
#include "graph/connections.h"
#include "program/lowering_input.h"
#include "program/program.h"
#include "program/requantization.h"

namespace trimtab {

class Lowering {
 public:
  Lowering(const LoweringInput& input, const Preprocessing& preprocessing, const std::vector<std::string>& classes);

  [[nodiscard]] Program run();

 private:
  [[nodiscard]] std::size_t points() const { return input_.points.size(); }
  [[nodiscard]] const Operator& operator_of(const Layer& layer) const { return nth(graph_.nodes, layer.node).op; }

  [[nodiscard]] const ActivationGrid& grid_in(const std::vector<std::optional<ActivationGrid>>& grids,
                                              ValueId value) const;
  /// How a value lies in memory, at all points.
  [[nodiscard]] const ActivationGrid& format_of(ValueId value) const { return grid_in(input_.formats, value); }
  [[nodiscard]] const ActivationGrid& grid_of(ValueId value, std::size_t point) const {
    return grid_in(input_.points[point].values, value);
  }
  [[nodiscard]] std::int32_t zero_of(ValueId value, std::size_t point) const {
    return grid_of(value, point).zero_point;
  }
  [[nodiscard]] std::int64_t largest_of(ValueId value, std::size_t point) const {
    return largest_magnitude(grid_of(value, point));
  }
  /// Of a value's scale to that of the layer's output, at a point.
  [[nodiscard]] double scale_ratio(ValueId value, const Layer& layer, std::size_t point) const {
    return static_cast<double>(grid_of(value, point).scale) / grid_of(layer.output, point).scale;
  }

  /// factor(point), or factors(point), for all points.
  template <typename Function>
  [[nodiscard]] std::vector<std::vector<double>> for_points(const Function& function) const {
    std::vector<std::vector<double>> result;
    for (std::size_t k = 0; k < points(); ++k) {
      if constexpr (std::is_same_v<decltype(function(k)), double>) {
        result.push_back({function(k)});
      } else {
        result.push_back(function(k));
      }
    }
    return result;
  }

  BufferId add_buffer(ValueId value);
  [[nodiscard]] BufferId buffer_of(ValueId value) const { return buffers_.at(value); }
  [[nodiscard]] Buffer& buffer(BufferId id) { return nth(program_.buffers, id); }

  /// `numbers`: by operating point.
  void add_step(const std::string& name, Operation operation, const std::vector<BufferId>& inputs, BufferId output,
                std::vector<PointNumbers> numbers);
  void add_step(const Layer& layer, Operation operation, const std::vector<BufferId>& inputs,
                std::vector<PointNumbers> numbers);

  /// By operating point: the range to which a layer's output saturates, its grid, narrowed by its activation function.
  [[nodiscard]] std::vector<PointNumbers> output_ranges(const Layer& layer) const;
  static void set_shifts(std::vector<PointNumbers>& numbers, const Requantization& requantization);
  void check_same_grid(const Layer& layer) const;
  /// The zero point of a value, the same at all points, as the runtime's descriptors hold it.
  [[nodiscard]] std::int16_t narrow_zero_of(ValueId value) const;

  void fill_part_grids();

  void lower_layer(const Layer& layer);

  void lower_conv(const Layer& layer, const Conv& op);
  void lower_linear(const Layer& layer, const Linear& op);
  void lower_affine(const Layer& layer, const Affine& op);
  void finish_weighted(const Layer& layer, ConvolutionStep step, std::array<std::int64_t, 4> shape);
  void finish_convolution(const Layer& layer, ConvolutionStep step, const std::vector<std::vector<float>>& scales,
                          const std::vector<int>& weight_bits);
  [[nodiscard]] std::vector<double> biases(const Layer& layer, const ConvolutionStep& step, std::size_t point,
                                           int weight_bits, const std::vector<double>& units, int dropped) const;
  [[nodiscard]] std::optional<std::string> overflowing_filter(const std::vector<std::vector<std::int64_t>>& sums,
                                                              int dropped,
                                                              const std::vector<PointNumbers>& numbers) const;

  void lower_max_pool(const Layer& layer, const Pool& op);
  void lower_average_pool(const Layer& layer, const Pool& op);
  void lower_global_pool(const Layer& layer);
  void lower_average(const Layer& layer, const runtime::Window& window, bool fixed_divisor, bool padding_counts);
  [[nodiscard]] std::pair<ValueId, ValueId> operands(const Layer& layer) const;
  void lower_add(const Layer& layer);
  void lower_mul(const Layer& layer);
  void lower_table(const Layer& layer);
  void lower_softmax(const Layer& layer);

  void lower_concat(const Layer& layer);
  void lower_rescale(const Layer& layer, ValueId input, BufferId from, BufferId to);

  /// A value whose elements are another one's at other places, or padding.
  struct Moved {
    std::string name;  ///< of the layer
    ValueId from = -1;
    std::vector<std::int64_t> sources;  ///< by element in the order of the graph's value; -1: padding
    std::int32_t padding = 0;
  };
  [[nodiscard]] static std::optional<Moved> composed(const Moved& before, Moved after);
  [[nodiscard]] std::int32_t padding_of(const Layer& layer) const;
  void lower_movement(const Layer& layer);
  void move(const Moved& moved, ValueId output);
  void copy_part(const Layer& layer, BufferId part, BufferId whole, runtime::Box box);
  void lower_joined(const Layer& layer, const Concat& op);
  void lower_reshape(const Layer& layer);

  const LoweringInput& input_;
  const Graph& graph_;
  const Connections connections_;
  std::vector<Layer> layers_;
  Program program_;
  std::map<ValueId, BufferId> buffers_;
  std::map<ValueId, Moved> moved_;  ///< what only a movement reads, and has not been made
};

/// Image of a graph's value: {C,H,W}, or {F} as 1 x 1 x F. Throws Error (bad input) where it is too large for a device.
[[nodiscard]] Buffer make_buffer(const Value& value, const ActivationGrid& grid);

[[nodiscard]] runtime::Window window_of(const std::array<std::int64_t, 2>& kernel,
                                        const std::array<std::int64_t, 2>& stride,
                                        const std::array<std::int64_t, 2>& dilation, const Padding& padding);

}  // namespace trimtab
