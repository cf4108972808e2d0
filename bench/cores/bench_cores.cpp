// Executed instructions of the four networks of the kernel table (results/kernels.md), with random weights of the real
// shapes, on any emulated core:
//     bench_cores TARGET [--bits B] [--activation-bits A] [--size] [--layers] [NET ...]

#include <fmt/format.h>

#include <cstdio>
#include <span>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "emit/deploy.h"
#include "emit/firmware.h"
#include "program/describe.h"
#include "program/execute.h"
#include "program_builder.h"

namespace trimtab {
namespace {

struct Bits {
  int weights = 8;
  int activations = 8;
};

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

Program vww(const Bits& bits) {
  ProgramBuilder b(3);
  const ActivationGrid positive{1, bits.activations, false};
  b.program.input = b.add_buffer(96, 96, 3, {1, 8, false});
  BufferId x = b.convolution(b.program.input, square(8, 3, 2, 96), positive, bits.weights);
  int size = 48;
  int channels = 8;
  const std::vector<std::pair<int, int>> blocks{{16, 1},  {32, 2},  {32, 1},  {64, 2},  {64, 1},  {128, 2}, {128, 1},
                                                {128, 1}, {128, 1}, {128, 1}, {128, 1}, {256, 2}, {256, 1}};
  for (const auto& [outputs, stride] : blocks) {
    x = b.convolution(x, square(channels, 3, stride, size, channels), positive, bits.weights);
    size /= stride;
    x = b.convolution(x, square(outputs, 1, 1, size), positive, bits.weights);
    channels = outputs;
  }
  x = b.global_average_pool(x, positive);
  return finish(b, b.convolution(x, square(2, 1, 1, 1), {1, 16, true}, bits.weights));
}

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

/// The step alone as a program.
Program alone(const Program& program, const Step& step) {
  Program one;
  one.buffers = program.buffers;
  one.steps = {step};
  one.input = step.inputs[0];
  one.output = step.output;
  return one;
}

struct Measured {
  Deployment deployment;
  Schedule plan;
};

Measured measure(const Program& program, const Target& target, Optimize optimize) {
  Random random(5);
  std::vector<std::uint8_t> input(
      static_cast<std::size_t>(2 * program.buffers[static_cast<std::size_t>(program.input)].bytes()));
  for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(random.bits());
  const ProgramRunner host(program, Core::generic);
  std::vector<std::int32_t> expected(static_cast<std::size_t>(2 * host.output_elements()));
  host.run(input, 2, expected);
  const TemporaryDirectory directory;
  const Deployment deployment = deploy(program, target, optimize, "network", input, expected, directory.path());
  return {deployment, schedule(program, core_of(target), optimize)};
}

void print(const std::string& name, std::int64_t products, const Measured& measured) {
  const auto instructions = measured.deployment.instructions;
  fmt::print("{:34} {:>12} instructions, {:5.2f} per MAC ({:>10}), arena {:>6}, stack {:>4}, text {:>6}{}\n", name,
             format_count(instructions), products == 0 ? 0 : double(instructions) / double(products),
             format_count(products), measured.deployment.arena_bytes, measured.deployment.stack_bytes,
             measured.deployment.image.text,
             measured.deployment.mismatches == 0 ? "" : fmt::format(", {} WRONG", measured.deployment.mismatches));
  std::fflush(stdout);
}

int run(std::span<char*> arguments) {
  Bits bits;
  bool layers = false;
  Optimize optimize = Optimize::speed;
  Target target = load_target(arguments.size() > 1 ? arguments[1] : "cortex-m3");
  std::vector<std::string> chosen;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string argument = arguments[i];
    if (argument == "--layers") {
      layers = true;
    } else if (argument == "--size") {
      optimize = Optimize::size;
    } else if (argument == "--bits") {
      bits.weights = std::stoi(arguments[++i]);
    } else if (argument == "--activation-bits") {
      bits.activations = std::stoi(arguments[++i]);
    } else {
      chosen.push_back(argument);
    }
  }
  const std::vector<std::pair<std::string, Program (*)(const Bits&)>> networks{
      {"resnet8", resnet8}, {"dscnn", dscnn}, {"vww", vww}, {"cifar10_cnn", cifar10_cnn}};
  for (const auto& [name, make] : networks) {
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), name) == chosen.end()) continue;
    const Program program = make(bits);
    std::int64_t products = 0;
    for (const Step& step : program.steps) products += step.multiply_accumulates();
    const Measured whole = measure(program, target, optimize);
    print(name, products, whole);
    if (!layers) continue;
    fmt::print("{}", describe_steps(program, whole.plan, true));
    for (std::size_t index = 0; index < program.steps.size(); ++index) {
      const Step& step = program.steps[index];
      const Buffer& output = program.buffers[static_cast<std::size_t>(step.output)];
      if (step.inputs.size() > 1) continue;
      print(fmt::format("  {} {}x{}x{} {}", index, output.height, output.width, output.channels,
                        whole.plan.kernels[index].name),
            step.multiply_accumulates(), measure(alone(program, step), target, optimize));
    }
  }
  return 0;
}

}  // namespace
}  // namespace trimtab

int main(int count, char** arguments) {
  try {
    return trimtab::run({arguments, static_cast<std::size_t>(count)});
  } catch (const trimtab::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
