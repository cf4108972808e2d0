#include "program/pass_dump.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/index.h"
#include "graph/text.h"
#include "program/describe.h"

namespace trimtab {
namespace {

std::string grid_text(const ActivationGrid& grid) {
  const std::string zero = grid.zero_point == 0 ? "" : fmt::format(", zero point {}", grid.zero_point);
  return fmt::format("{} bits {}, scale {:.6g}{}", grid.bits, grid.is_signed ? "signed" : "unsigned", grid.scale, zero);
}

template <typename Numbers>
std::string span_text(const Numbers& numbers) {
  if (numbers.empty()) return "none";
  const auto [low, high] = std::ranges::minmax(numbers);
  return fmt::format("{} .. {}", low, high);
}

std::string plan_text(const Plan& plan) {
  std::string text;
  for (const LayerPlan& layer : plan.layers) {
    text += fmt::format("{}: {}weights {} bits, activations {} bits\n", layer.layer,
                        layer.filters > 0 ? fmt::format("{} filters, ", layer.filters) : "", layer.weight_bits,
                        layer.activation_bits);
  }
  return text;
}

std::string layers_text(const Graph& graph) {
  std::string text;
  const auto name_of = [&](std::int64_t node) { return node < 0 ? std::string("-") : nth(graph.nodes, node).name; };
  for (const Layer& layer : fuse_layers(graph)) {
    text += fmt::format("{}: normalization {}, activation {}\n", layer.name, name_of(layer.normalization),
                        name_of(layer.activation));
  }
  return text;
}

/// The grids of the values, and what `weights` says of every layer's weights.
template <typename ValueGrid, typename WeightText>
std::string grids_text(const Graph& graph, const std::vector<std::optional<ValueGrid>>& values,
                       const WeightText& weights) {
  std::string text = "\nvalues:\n";
  for (std::size_t v = 0; v < values.size(); ++v) {
    if (!values[v].has_value()) continue;
    if constexpr (std::is_same_v<ValueGrid, ActivationGrid>) {
      text += fmt::format("{} {}: {}\n", v, graph.values[v].name, grid_text(*values[v]));
    } else {
      text += fmt::format("{} {}: {}, exponents of 2 to 8 bits {}\n", v, graph.values[v].name,
                          grid_text(values[v]->grid), fmt::join(std::span(values[v]->exponent).subspan(2), " "));
    }
  }
  text += "\nweights:\n";
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const std::string of_node = weights(n);
    if (!of_node.empty()) text += fmt::format("{}: {}\n", graph.nodes[n].name, of_node);
  }
  return text;
}

std::string step_text(const Program& program, const Step& step) {
  const auto buffer = [&](BufferId id) {
    const Buffer& b = nth(program.buffers, id);
    return fmt::format("{} {} {}x{}x{}, {}", id, b.name, b.height, b.width, b.channels, grid_text(b.grid));
  };
  std::string text = fmt::format("{}: {}\n", step.name, kind_of(step.operation));
  for (const BufferId input : step.inputs) text += fmt::format("    from {}\n", buffer(input));
  text += fmt::format("    to {}\n", buffer(step.output));
  if (const auto* convolution = std::get_if<ConvolutionStep>(&step.operation)) {
    text += fmt::format("    stored weights {}, multipliers {}, padding {}\n", span_text(convolution->weights),
                        span_text(convolution->multiplier), span_text(convolution->padding_value));
  }
  const std::vector<PointNumbers> points = step.points.empty() ? std::vector{numbers_of(step.operation)} : step.points;
  for (std::size_t k = 0; k < points.size(); ++k) {
    const PointNumbers& at = points[k];
    text += fmt::format(
        "    {}bias {}, output {} .. {}, shift {}{}\n", step.points.empty() ? "" : fmt::format("point {}: ", k),
        span_text(at.bias), at.output_minimum, at.output_maximum, at.shift,
        std::holds_alternative<ConvolutionStep>(step.operation) ? fmt::format(", weights of {} bits", at.weight_bits)
                                                                : "");
  }
  return text;
}

std::string network_text(const QuantizedNetwork& network) {
  const auto weights = [&](std::size_t node) {
    if (!network.weights[node].has_value()) return std::string{};
    return fmt::format("{} bits, scales {}", network.weights[node]->bits, span_text(network.weights[node]->scale));
  };
  return to_text(network.graph) + grids_text(network.graph, network.values, weights) + "\nplan:\n" +
         plan_text(network.plan);
}

std::string network_text(const NestedNetwork& network, std::span<const OperatingPoint> points) {
  const auto weights = [&](std::size_t node) {
    if (!network.weights[node].has_value()) return std::string{};
    const StoredWeights& stored = *network.weights[node];
    const std::vector<int> digits(stored.digits.begin(), stored.digits.end());
    return fmt::format("digits {}, scales {}", span_text(digits), span_text(stored.scale));
  };
  std::string text = to_text(network.graph) + grids_text(network.graph, network.values, weights);
  const std::vector<Layer> layers = fuse_layers(network.graph);
  for (std::size_t k = 0; k < points.size(); ++k) {
    text += fmt::format("\noperating point {}:\n", k);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const Precision& precision = points[k].precision[l];
      text += fmt::format("{}: weights {} bits, activations {} bits\n", layers[l].name, precision.weights,
                          precision.activations);
    }
  }
  return text;
}

std::string program_text(const Program& program) {
  std::string text;
  for (const Step& step : program.steps) text += step_text(program, step);
  return text;
}

}  // namespace

PassDump::PassDump(const std::filesystem::path& folder) : folder_(folder) {
  make_directory(folder);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool ours =
        name.size() > 7 && name.find_first_not_of("0123456789") == 2 && name[2] == '-' && name.ends_with(".txt");
    if (ours) std::filesystem::remove(entry.path());
  }
}

template <typename MakeText>
void PassDump::write(std::string_view pass, const MakeText& make_text) {
  if (folder_.empty()) return;
  write_file(folder_ / fmt::format("{:02}-{}.txt", ++written_, pass), make_text());
}

void PassDump::add(std::string_view pass, const Graph& graph) {
  write(pass, [&] { return to_text(graph); });
}

void PassDump::add(std::string_view pass, const Graph& graph, const Plan& plan) {
  write(pass, [&] { return layers_text(graph) + "\nplan:\n" + plan_text(plan); });
}

void PassDump::add(std::string_view pass, const QuantizedNetwork& network) {
  write(pass, [&] { return network_text(network); });
}

void PassDump::add(std::string_view pass, const NestedNetwork& network, std::span<const OperatingPoint> points) {
  write(pass, [&] { return network_text(network, points); });
}

void PassDump::add(std::string_view pass, const Program& program) {
  write(pass, [&] { return program_text(program); });
}

void PassDump::add(std::string_view pass, const Program& program, const Schedule& schedule) {
  write(pass, [&] { return describe_steps(program, schedule, true) + "\n" + draw_arena(program, schedule); });
}

PassObserver PassDump::observer() {
  return [this](std::string_view pass, const Graph& graph) { add(pass, graph); };
}

}  // namespace trimtab
