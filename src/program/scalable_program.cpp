#include "program/scalable_program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "program/fixed_point.h"
#include "program/kernel_choices.h"
#include "program/lower.h"
#include "trimtab/convolution_nested.h"
#include "trimtab/operating_points.h"

namespace trimtab {
namespace {

constexpr std::int64_t largest_integer = std::numeric_limits<std::int32_t>::max();

/// The network with all bits as a network of plain 8-bit weights, whose integers are the stored digits: what is lowered
/// to get the steps, the buffers and the weights. All else of it is replaced.
QuantizedNetwork stored_network(const NestedNetwork& network) {
  QuantizedNetwork result;
  result.graph = network.graph;
  result.values.resize(network.values.size());
  result.weights.resize(network.weights.size());
  for (std::size_t v = 0; v < network.values.size(); ++v) {
    if (network.values[v]) result.values[v] = network.values[v]->grid;
  }
  for (const Layer& layer : fuse_layers(network.graph)) {
    result.plan.layers.push_back(
        {layer.name, 0, stored_weight_bits, result.values[static_cast<std::size_t>(layer.output)]->bits});
  }
  for (std::size_t n = 0; n < network.weights.size(); ++n) {
    if (!network.weights[n]) continue;
    const StoredWeights& stored = *network.weights[n];
    result.weights[n] = {stored_weight_bits, stored.scale};
    const std::size_t size = stored.digits.size() / stored.scale.size();
    const auto fill = [&](auto& op) {
      for (std::size_t i = 0; i < stored.digits.size(); ++i) {
        op.weight.data[i] = static_cast<float>(stored.digits[i]) * stored.scale[i / size];
      }
      op.bias = {};
    };
    Operator& op = result.graph.nodes[n].op;
    if (auto* conv = std::get_if<Conv>(&op)) fill(*conv);
    if (auto* linear = std::get_if<Linear>(&op)) fill(*linear);
  }
  return result;
}

class ScalableLowering {
 public:
  ScalableLowering(const NestedNetwork& network, const std::vector<OperatingPoint>& points)
      : network_(network), graph_(network.graph), layers_(fuse_layers(network.graph)), points_(points) {
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      producer_[layers_[l].output] = l;
      by_name_[layers_[l].name] = l;
    }
  }

  ScalableProgram run(const Preprocessing& preprocessing, const std::vector<std::string>& classes) {
    if (points_.empty()) throw failure("a scalable program without operating points");
    ScalableProgram result;
    result.program = lower(stored_network(network_), preprocessing, classes);
    result.points.assign(points_.size(), std::vector<StepSetting>(result.program.steps.size()));
    for (std::size_t s = 0; s < result.program.steps.size(); ++s) {
      Step& step = result.program.steps[s];
      const auto settings = [&](std::size_t k) -> StepSetting& { return result.points[k][s]; };
      std::visit(
          overloaded{[&](ConvolutionStep& convolution) { lower_convolution(layer(step), convolution, settings); },
                     [&](AveragePoolStep& pool) { lower_average(layer(step), pool, settings); },
                     [&](AdditionStep& addition) { lower_addition(layer(step), addition, settings); },
                     [](MaxPoolStep&) {}, [](RescaleStep&) {},
                     [&](auto&) { throw bad_input("layer '{}' has no scalable form", step.name); }},
          step.operation);
    }
    result.program = program_at(result, 0);
    return result;
  }

 private:
  [[nodiscard]] const Layer& layer(const Step& step) const { return layers_[by_name_.at(step.name)]; }

  [[nodiscard]] ActivationGrid grid_at(ValueId value, std::size_t point) const {
    const NestedActivationGrid& grid = *network_.values.at(static_cast<std::size_t>(value));
    const auto producer = producer_.find(value);
    return producer == producer_.end() ? grid.grid : grid.at(points_[point].precision[producer->second].activations);
  }

  [[nodiscard]] ActivationGrid full_grid(ValueId value) const {
    return network_.values.at(static_cast<std::size_t>(value))->grid;
  }

  /// The power of two by which a value's scale at a point is larger than with all bits.
  [[nodiscard]] int growth(ValueId value, std::size_t point) const {
    return static_cast<int>(std::lround(std::log2(grid_at(value, point).scale / full_grid(value).scale)));
  }

  void set_output_range(const Layer& layer, std::size_t point, StepSetting& setting) const {
    const ActivationGrid grid = grid_at(layer.output, point);
    setting.varies = true;
    setting.output_minimum = grid.minimum();
    setting.output_maximum = grid.maximum();
    if (layer.activation < 0) return;
    setting.output_minimum = 0;
    const Operator& op = graph_.nodes[static_cast<std::size_t>(layer.activation)].op;
    if (const auto* clip = std::get_if<Clip>(&op)) {
      setting.output_maximum = std::min(setting.output_maximum, quantize(clip->high, grid));
    }
  }

  /// Multipliers and shifts for factors that are `factors` * 2^growth[k] at point k: the multipliers serve all points.
  /// Returns the shifts.
  static std::vector<std::uint8_t> share_multipliers(const std::vector<double>& factors, const std::vector<int>& growth,
                                                     const std::string& layer, std::vector<std::int32_t>& multiplier) {
    const int least = *std::min_element(growth.begin(), growth.end());
    const int base = std::max<int>(to_fixed_point(factors, layer).shift, -least);
    multiplier.clear();
    for (const double factor : factors) {
      multiplier.push_back(static_cast<std::int32_t>(std::llround(factor * std::exp2(32 - base))));
    }
    std::vector<std::uint8_t> shifts;
    for (const int g : growth) shifts.push_back(static_cast<std::uint8_t>(base + g));
    return shifts;
  }

  template <typename Settings>
  void lower_convolution(const Layer& layer, ConvolutionStep& step, const Settings& settings) const {
    const auto node = static_cast<std::size_t>(layer.node);
    const StoredWeights& stored = *network_.weights[node];
    const double input = full_grid(layer.inputs[0]).scale;
    const double output = full_grid(layer.output).scale;
    std::vector<double> factors;
    for (const float scale : stored.scale) factors.push_back(input * static_cast<double>(scale) / 2 / output);
    std::vector<int> growths;
    for (std::size_t k = 0; k < points_.size(); ++k) {
      const int bits = points_[k].precision[by_name_.at(layer.name)].weights;
      growths.push_back(stored_weight_bits - bits + growth(layer.inputs[0], k) - growth(layer.output, k));
    }
    const std::vector<std::uint8_t> shifts = share_multipliers(factors, growths, layer.name, step.multiplier);
    for (std::size_t k = 0; k < points_.size(); ++k) {
      StepSetting& setting = settings(k);
      set_output_range(layer, k, setting);
      setting.shift = shifts[k];
      setting.weight_bits = static_cast<std::uint8_t>(points_[k].precision[by_name_.at(layer.name)].weights);
      const ActivationGrid in = grid_at(layer.inputs[0], k);
      const std::vector<float>& bias = points_[k].bias.at(node);
      for (std::size_t c = 0; c < stored.scale.size(); ++c) {
        const double unit = static_cast<double>(in.scale) * static_cast<double>(stored.scale[c]) *
                            std::exp2(stored_weight_bits - 1 - setting.weight_bits);
        setting.bias.push_back(nearest(static_cast<double>(bias.at(c)) / unit, layer, k));
      }
      check_overflow(layer, step, setting, in, k);
    }
  }

  static std::int32_t nearest(double value, const Layer& layer, std::size_t point) {
    const double rounded = std::floor(value + 0.5);
    if (!(std::abs(rounded) <= static_cast<double>(largest_integer))) {
      throw bad_input("layer '{}' has, at operating point {}, a bias beyond 32 bits", layer.name, point);
    }
    return static_cast<std::int32_t>(rounded);
  }

  static void check_overflow(const Layer& layer, const ConvolutionStep& step, const StepSetting& setting,
                             const ActivationGrid& input, std::size_t point) {
    std::int64_t largest = largest_magnitude(input);
    for (const std::int16_t value : step.padding_value) largest = std::max<std::int64_t>(largest, std::abs(value));
    const std::size_t size = step.weights.size() / setting.bias.size();
    for (std::size_t c = 0; c < setting.bias.size(); ++c) {
      std::int64_t bound = std::abs(std::int64_t{setting.bias[c]});
      for (std::size_t i = 0; i < size; ++i) {
        const int digits =
            runtime::nested_digits(static_cast<std::int8_t>(step.weights[c * size + i]), setting.weight_bits);
        bound += std::abs(std::int64_t{2 * digits + 1}) * largest;
      }
      if (bound << setting.shift > largest_integer) {
        throw bad_input(
            "layer '{}' could overflow its 32-bit accumulator at operating point {}; keep the bits of its "
            "output near those of its input",
            layer.name, point);
      }
    }
  }

  template <typename Settings>
  void lower_average(const Layer& layer, AveragePoolStep& step, const Settings& settings) const {
    const int count = step.pool.window.kernel_height * step.pool.window.kernel_width;
    const double ratio =
        static_cast<double>(full_grid(layer.inputs[0]).scale) / static_cast<double>(full_grid(layer.output).scale);
    std::vector<double> factors;
    for (int divisor = step.pool.fixed_divisor ? count : 1; divisor <= count; ++divisor) {
      factors.push_back(ratio / divisor);
    }
    std::vector<int> growths;
    for (std::size_t k = 0; k < points_.size(); ++k) {
      growths.push_back(growth(layer.inputs[0], k) - growth(layer.output, k));
    }
    const std::vector<std::uint8_t> shifts = share_multipliers(factors, growths, layer.name, step.multiplier);
    for (std::size_t k = 0; k < points_.size(); ++k) {
      set_output_range(layer, k, settings(k));
      settings(k).shift = shifts[k];
      if (largest_magnitude(grid_at(layer.inputs[0], k)) * count << shifts[k] > largest_integer) {
        throw bad_input("layer '{}' could overflow its 32-bit sum at operating point {}", layer.name, k);
      }
    }
  }

  template <typename Settings>
  void lower_addition(const Layer& layer, AdditionStep& step, const Settings& settings) const {
    ValueId a = layer.inputs.at(0);
    ValueId b = layer.inputs.at(1);
    if (element_count(graph_.shape_of(a)) < element_count(graph_.shape_of(b))) std::swap(a, b);
    const double output = full_grid(layer.output).scale;
    const double factor_a = static_cast<double>(full_grid(a).scale) / output;
    const double factor_b = static_cast<double>(full_grid(b).scale) / output;
    std::vector<int> growths;
    for (std::size_t k = 0; k < points_.size(); ++k) {
      if (growth(a, k) != growth(b, k)) throw failure("the inputs of '{}' have different scales", layer.name);
      growths.push_back(growth(a, k) - growth(layer.output, k));
    }
    // The shift goes the other way here: a value that is larger by 2^growth is shifted right by so much less.
    const auto fits = [&](int base) {
      return std::all_of(growths.begin(), growths.end(), [&](int g) {
        const int shift = base - g;
        const auto magnitude_a = static_cast<double>(largest_magnitude(full_grid(a)));
        const auto magnitude_b = static_cast<double>(largest_magnitude(full_grid(b)));
        return shift >= 1 && shift <= 30 &&
               (factor_a * magnitude_a + factor_b * magnitude_b) * std::exp2(base) + magnitude_a + magnitude_b +
                       std::exp2(shift - 1) <
                   static_cast<double>(largest_integer);
      });
    };
    int base = 30;
    while (base > 0 && !fits(base)) --base;
    if (base == 0) throw bad_input("layer '{}' adds values of too different scales", layer.name);
    step.addition.multiplier_a = static_cast<std::int32_t>(std::llround(factor_a * std::exp2(base)));
    step.addition.multiplier_b = static_cast<std::int32_t>(std::llround(factor_b * std::exp2(base)));
    for (std::size_t k = 0; k < points_.size(); ++k) {
      set_output_range(layer, k, settings(k));
      settings(k).shift = static_cast<std::uint8_t>(base - growths[k]);
    }
  }

  const NestedNetwork& network_;
  const Graph& graph_;
  std::vector<Layer> layers_;
  const std::vector<OperatingPoint>& points_;
  std::map<ValueId, std::size_t> producer_;
  std::map<std::string, std::size_t> by_name_;
};

}  // namespace

ScalableProgram lower_scalable(const NestedNetwork& network, const std::vector<OperatingPoint>& points,
                               const Preprocessing& preprocessing, const std::vector<std::string>& classes) {
  return ScalableLowering(network, points).run(preprocessing, classes);
}

Program program_at(const ScalableProgram& scalable, std::size_t point) {
  Program program = scalable.program;
  const std::vector<StepSetting>& settings = scalable.points.at(point);
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const StepSetting& setting = settings[s];
    if (!setting.varies) continue;
    const auto apply = [&](auto& descriptor) {
      descriptor.output_minimum = setting.output_minimum;
      descriptor.output_maximum = setting.output_maximum;
      descriptor.shift = setting.shift;
    };
    std::visit(overloaded{[&](ConvolutionStep& step) {
                            apply(step.convolution);
                            step.convolution.weight_bits = setting.weight_bits;
                            step.bias = setting.bias;
                          },
                          [&](AveragePoolStep& step) { apply(step.pool); },
                          [&](AdditionStep& step) { apply(step.addition); }, [](auto&) {}},
               program.steps[s].operation);
  }
  return program;
}

Schedule schedule_point(const Program& program, Core core) {
  const bool host = core == Core::host;
  Schedule result = schedule(program, host ? Core::host : Core::generic);
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const auto* step = std::get_if<ConvolutionStep>(&program.steps[s].operation);
    if (step == nullptr) continue;
    Kernel& kernel = result.kernels[s];
    if (kernel.name != "convolution_generic") {
      std::vector<std::int16_t> weights;
      for (const std::int16_t stored : step->weights) {
        const int digits = runtime::nested_digits(static_cast<std::int8_t>(stored), step->convolution.weight_bits);
        weights.push_back(static_cast<std::int16_t>(2 * digits + 1));
      }
      kernel.weights = pack_host_weights(*step, weights);
      continue;
    }
    // The same scratch memory: a filter of bytes.
    kernel.name = "convolution_nested";
    kernel.header = "convolution_nested.h";
    kernel.weights.clear();
    for (const std::int16_t stored : step->weights) kernel.weights.push_back(static_cast<std::uint8_t>(stored));
    kernel.reason = "one set of weights for all precisions";
  }
  return result;
}

std::int64_t point_bytes(const ScalableProgram& scalable) {
  // On the device: a pointer, two integers and two bytes for a step that varies, padded to 16.
  constexpr std::int64_t setting_bytes = 16;
  std::int64_t bytes = 0;
  for (const StepSetting& setting : scalable.points.at(0)) {
    if (setting.varies) bytes += setting_bytes + static_cast<std::int64_t>(setting.bias.size() * sizeof(std::int32_t));
  }
  return bytes;
}

}  // namespace trimtab
