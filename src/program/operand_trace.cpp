#include "program/operand_trace.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "base/error.h"
#include "base/index.h"
#include "base/random.h"
#include "program/evaluate.h"
#include "program/execute.h"

namespace trimtab {
namespace {

/// A convolution with its inputs on all samples: samples x height x width x channels.
struct TracedLayer {
  const ConvolutionStep* step = nullptr;
  std::vector<std::int32_t> inputs;
  std::int64_t samples = 0;

  [[nodiscard]] std::int64_t outputs() const {
    const runtime::Image& output = step->convolution.output;
    return samples * output.height * output.width * output.channels;
  }
};

/// The samples after the program's first steps.
std::vector<std::int32_t> run_head(const Program& program, std::size_t steps, BufferId value,
                                   std::span<const std::uint8_t> samples, std::int64_t count) {
  Program head = program;
  head.steps.resize(steps);
  head.output = value;
  const ProgramRunner runner(std::move(head), Core::generic);
  std::vector<std::int32_t> outputs(static_cast<std::size_t>(runner.output_elements() * count));
  runner.run(samples, count, outputs);
  return outputs;
}

/// The value that padding has for a channel, on the grid of the input.
std::int32_t padding(const ConvolutionStep& step, std::int64_t channel) {
  if (step.padding_value.empty()) return 0;
  return std::clamp<std::int32_t>(nth(step.padding_value, channel), 0, 255);
}

DotProduct dot_product(const TracedLayer& layer, std::int64_t number) {
  const runtime::Convolution& c = layer.step->convolution;
  const std::int64_t channel = number % c.output.channels;
  const std::int64_t column = number / c.output.channels % c.output.width;
  const std::int64_t row = number / c.output.channels / c.output.width % c.output.height;
  const std::int64_t sample = number / c.output.channels / c.output.width / c.output.height;
  const std::int64_t depth = c.input.channels / c.groups;
  const std::int64_t first_channel = channel / (c.output.channels / c.groups) * depth;
  const std::int64_t size = std::int64_t{c.window.kernel_height} * c.window.kernel_width * depth;
  DotProduct product;
  const auto weights = layer.step->weights.begin() + channel * size;
  std::transform(weights, weights + size, std::back_inserter(product.weights),
                 [](std::int16_t weight) { return static_cast<std::int8_t>(weight); });
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t input_channel = first_channel + i % depth;
    const std::int64_t x = column * c.window.stride_columns - c.window.pad_left +
                           i / depth % c.window.kernel_width * c.window.dilation_columns;
    const std::int64_t y =
        row * c.window.stride_rows - c.window.pad_top + i / depth / c.window.kernel_width * c.window.dilation_rows;
    const bool is_inside = x >= 0 && x < c.input.width && y >= 0 && y < c.input.height;
    const std::int64_t index = ((sample * c.input.height + y) * c.input.width + x) * c.input.channels + input_channel;
    product.activations.push_back(
        static_cast<std::int16_t>(is_inside ? nth(layer.inputs, index) : padding(*layer.step, input_channel)));
  }
  return product;
}

}  // namespace

OperandTraces trace_operands(const Program& program, const Dataset& samples, std::int64_t count, std::uint64_t seed) {
  const std::vector<std::uint8_t> bytes = convert_samples(program, samples);
  OperandTraces traces;
  std::vector<TracedLayer> layers;
  for (std::size_t index = 0; index < program.steps.size(); ++index) {
    const Step& step = program.steps[index];
    const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
    if (convolution == nullptr) continue;
    const BufferId input = step.inputs.at(0);
    const ActivationGrid& grid = nth(program.buffers, input).grid;
    if (grid.bits != 8 || grid.is_signed || convolution->convolution.weight_bits != 8) {
      traces.skipped.push_back(step.name);
      continue;
    }
    traces.layers.push_back(step.name);
    layers.push_back({convolution, run_head(program, index, input, bytes, samples.size()), samples.size()});
  }
  if (layers.empty()) {
    throw bad_input(
        "no layer of {} has unsigned 8-bit inputs and 8-bit weights, whose operands could be traced; quantize it with "
        "--weight-bits 8 --activation-bits 8",
        program.name);
  }
  std::vector<std::int64_t> ends;
  for (const TracedLayer& layer : layers) ends.push_back((ends.empty() ? 0 : ends.back()) + layer.outputs());
  Random random(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t number = random.integer(0, ends.back() - 1);
    const auto layer = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), number) - ends.begin());
    traces.dot_products.push_back(dot_product(layers[layer], number - (layer == 0 ? 0 : ends[layer - 1])));
    traces.dot_products.back().layer = layer;
  }
  return traces;
}

}  // namespace trimtab
