#include "networks.h"

#include <algorithm>

#include "base/file.h"
#include "base/random.h"
#include "emit/recipe.h"
#include "program/execute.h"
#include "support/program_builder.h"

namespace trimtab {
namespace {

/// All outputs saturate to their grid's ends, as ReLU and plain layers do.
Program finish(ProgramBuilder& builder, BufferId output) {
  for (Step& step : builder.program.steps) {
    const ActivationGrid grid = builder.buffer(step.output).grid;
    const auto widen = [&](auto& operator_) {
      operator_.output_minimum = grid.minimum();
      operator_.output_maximum = grid.maximum();
    };
    std::visit(overloaded{[&](ConvolutionStep& s) {
                            widen(s.convolution);
                            s.convolution.shift = 0;  // as lowering nearly always gives
                          },
                          [&](MaxPoolStep& s) { widen(s.pool); }, [&](AveragePoolStep& s) { widen(s.pool); },
                          [&](AdditionStep& s) { widen(s.addition); }, [](auto&) {}},
               step.operation);
  }
  return builder.finish(output);
}

Program resnet8(const Bits& bits) {
  ProgramBuilder b(1);
  const ActivationGrid positive{1, bits.activations, false};
  const ActivationGrid both{1, bits.activations, true};
  b.program.input = b.add_buffer(32, 32, 3, {1, 8, false});
  BufferId x = b.convolution(b.program.input, square(16, 3, 1, 32), positive, bits.weights);
  int size = 32;
  for (const int channels : {16, 32, 64}) {
    const int stride = channels == 16 ? 1 : 2;
    BufferId y = b.convolution(x, square(channels, 3, stride, size), positive, bits.weights);
    y = b.convolution(y, square(channels, 3, 1, size / stride), both, bits.weights);
    if (stride == 2) x = b.convolution(x, square(channels, 1, 2, size), both, bits.weights);
    x = b.addition(x, y, positive);
    size /= stride;
  }
  x = b.global_average_pool(x, positive);
  return finish(b, b.convolution(x, square(10, 1, 1, 1), {1, 16, true}, bits.weights));
}

Program dscnn(const Bits& bits) {
  ProgramBuilder b(2);
  const ActivationGrid positive{1, bits.activations, false};
  b.program.input = b.add_buffer(49, 10, 1, {1, 8, true});
  ConvolutionShape first;
  first.outputs = 64;
  first.kernel_height = 10;
  first.kernel_width = 4;
  first.stride_rows = first.stride_columns = 2;
  first.pad_top = 4;
  first.pad_bottom = 5;
  first.pad_left = first.pad_right = 1;
  BufferId x = b.convolution(b.program.input, first, positive, bits.weights);
  ConvolutionShape depthwise;
  depthwise.outputs = depthwise.groups = 64;
  depthwise.kernel_height = depthwise.kernel_width = 3;
  depthwise.pad_top = depthwise.pad_bottom = depthwise.pad_left = depthwise.pad_right = 1;
  for (int block = 0; block < 4; ++block) {
    x = b.convolution(x, depthwise, positive, bits.weights);
    x = b.convolution(x, square(64, 1, 1, 1), positive, bits.weights);
  }
  x = b.global_average_pool(x, positive);
  return finish(b, b.convolution(x, square(12, 1, 1, 1), {1, 16, true}, bits.weights));
}

/// MobileNetV1 for square pixels, `divisor` times narrower than 1.0.
Program mobilenet(int seed, int size, int classes, int divisor, const Bits& bits) {
  ProgramBuilder b(static_cast<std::uint64_t>(seed));
  const ActivationGrid positive{1, bits.activations, false};
  b.program.input = b.add_buffer(size, size, 3, {1, 8, false});
  int channels = 32 / divisor;
  BufferId x = b.convolution(b.program.input, square(channels, 3, 2, size), positive, bits.weights);
  size /= 2;
  const std::vector<std::pair<int, int>> blocks{{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                                                {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  for (const auto& [filters, stride] : blocks) {
    const int outputs = filters / divisor;
    x = b.convolution(x, square(channels, 3, stride, size, channels), positive, bits.weights);
    size /= stride;
    x = b.convolution(x, square(outputs, 1, 1, size), positive, bits.weights);
    channels = outputs;
  }
  x = b.global_average_pool(x, positive);
  return finish(b, b.convolution(x, square(classes, 1, 1, 1), {1, 16, true}, bits.weights));
}

Program vww(const Bits& bits) { return mobilenet(3, 96, 2, 4, bits); }

Program mobilenet_v1(const Bits& bits) { return mobilenet(6, 224, 1000, 1, bits); }

Program cifar10_cnn(const Bits& bits) {
  ProgramBuilder b(4);
  const ActivationGrid positive{1, bits.activations, false};
  b.program.input = b.add_buffer(32, 32, 3, {1, 8, false});
  BufferId x = b.program.input;
  int size = 32;
  for (const int channels : {32, 16, 32}) {
    x = b.convolution(x, square(channels, 5, 1, size), positive, bits.weights);
    x = b.max_pool(x, 3, 2, 1);
    size = b.buffer(x).height;
  }
  ConvolutionShape linear;
  linear.outputs = 10;
  linear.kernel_height = linear.kernel_width = size;
  return finish(b, b.convolution(x, linear, {1, 16, true}, bits.weights));
}

}  // namespace

const std::vector<TableNetwork>& table_networks() {
  static const std::vector<TableNetwork> networks{
      {"resnet8", resnet8}, {"dscnn", dscnn}, {"vww", vww}, {"cifar10_cnn", cifar10_cnn}};
  return networks;
}

const std::vector<TableNetwork>& application_networks() {
  static const std::vector<TableNetwork> networks{{"resnet8", resnet8}, {"mobilenet_v1", mobilenet_v1}};
  return networks;
}

std::vector<std::uint8_t> random_samples(const Program& program, std::int64_t samples) {
  Random random(5);
  std::vector<std::uint8_t> bytes(
      static_cast<std::size_t>(samples * program.buffers[static_cast<std::size_t>(program.input)].bytes()));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.bits());
  return bytes;
}

Deployment measure(const Program& program, const Target& target, Optimize optimize) {
  return measure(program, schedule(program, core_of(target), optimize), target);
}

Deployment measure(const Program& program, const Schedule& plan, const Target& target) {
  const std::vector<std::uint8_t> input = random_samples(program, 2);
  const ProgramRunner host(program, Core::generic);
  std::vector<std::int32_t> expected(static_cast<std::size_t>(2 * host.output_elements()));
  host.run(input, 2, expected);
  const TemporaryDirectory directory;
  return deploy(program, plan, target, "network", input, expected, directory.path());
}

std::int64_t least_arena_bytes(const Program& program) {
  const std::size_t steps = program.steps.size();
  const auto is_pool = [&](std::size_t step) {
    return step < steps && (std::holds_alternative<MaxPoolStep>(program.steps[step].operation) ||
                            std::holds_alternative<AveragePoolStep>(program.steps[step].operation));
  };
  std::int64_t most = 0;
  for (std::size_t cut = 0; cut <= steps; ++cut) {  // before that step
    if (cut > 0 && is_pool(cut) && std::holds_alternative<ConvolutionStep>(program.steps[cut - 1].operation)) continue;
    std::int64_t alive = 0;
    for (std::size_t id = 0; id < program.buffers.size(); ++id) {
      bool written = static_cast<BufferId>(id) == program.input;
      for (std::size_t s = 0; s < cut; ++s) written |= program.steps[s].output == static_cast<BufferId>(id);
      bool read = static_cast<BufferId>(id) == program.output;
      for (std::size_t s = cut; s < steps; ++s) {
        const auto& inputs = program.steps[s].inputs;
        read |= std::find(inputs.begin(), inputs.end(), static_cast<BufferId>(id)) != inputs.end();
      }
      if (written && read) alive += program.buffers[id].bytes();
    }
    most = std::max(most, alive);
  }
  return most;
}

std::int64_t multiply_accumulates(const Program& program) {
  std::int64_t products = 0;
  for (const Step& step : program.steps) products += step.multiply_accumulates();
  return products;
}

}  // namespace trimtab
