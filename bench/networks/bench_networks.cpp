// This program takes networks as people export them. It finds which can be read, how far their answers are from
// onnxruntime's, which run as integers, and whether all kernels that this machine can run give the numbers of the
// definition. It prints JSON, a network a line. scripts/results-networks makes results/networks.md of it.
//
//     bench_networks FOLDER [NAME ...]    FOLDER has NAME.onnx, NAME.input0.npy and NAME.output0.npy

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "learn/quantize.h"
#include "plan/clean_up.h"
#include "plan/layers.h"
#include "program/check.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "support/naive_interpreter.h"
#include "support/user_networks.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Dataset features_of(const UserNetwork& network) {
  Dataset data;
  data.shape = network.graph.input_shape();
  data.features = {network.inputs, element_count(data.shape)};
  data.labels.assign(static_cast<std::size_t>(network.samples), 0);
  return data;
}

/// A sample's integers by the definition.
std::vector<std::int64_t> by_definition(const Program& program, const Dataset& data, std::int64_t sample) {
  const Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
  std::vector<float> numbers(static_cast<std::size_t>(element_count(data.shape)));
  data.read(sample, program.preprocessing, numbers);
  const std::int64_t pixels = std::int64_t{input.height} * input.width;
  std::vector<std::int64_t> integers;
  for (std::int64_t i = 0; i < input.elements(); ++i) {
    const std::int64_t from = i % input.channels * pixels + i / input.channels;
    integers.push_back(quantize(numbers[static_cast<std::size_t>(from)], input.grid));
  }
  return NaiveInterpreter::run(program, integers);
}

/// Of the program's answers to the float network's, in dB.
double signal_to_noise(const Program& program, const Graph& prepared, const Dataset& data,
                       const std::vector<std::int64_t>& integers) {
  const std::vector<float> reals = FloatNetwork(prepared, "cpu", 1).run(data, {});
  const Buffer& output = program.buffers[static_cast<std::size_t>(program.output)];
  const std::int64_t pixels = std::int64_t{output.height} * output.width;
  double signal = 0;
  double noise = 0;
  for (std::int64_t i = 0; i < std::ssize(integers); ++i) {
    const std::int64_t within = i % output.elements();
    const std::int64_t place = i - within + within % output.channels * pixels + within / output.channels;
    const double real = reals[static_cast<std::size_t>(place)];
    const double error = real - output.grid.scale * static_cast<double>(integers[static_cast<std::size_t>(i)]);
    signal += real * real;
    noise += error * error;
  }
  return 10 * std::log10(signal / noise);
}

/// Adds what the integer program is, and how many of its numbers differ.
void deploy(const UserNetwork& network, Json& row) {
  const Graph prepared = prepare_for_deployment(network.graph, {});
  row["not_deployable"] = layers_without(&FormTraits::runs, prepared);
  if (!row["not_deployable"].empty()) return;
  const Dataset data = features_of(network);
  const Graph clean = clean_up(prepared, input_ranges(prepared, data)).graph;
  CalibrationOptions calibration;
  calibration.threads = 1;
  const Plan plan = uniform_plan(clean, 8, 8);
  const Program program = lower(quantize_post_training(clean, plan, data, calibration), {}, {});
  check_program(program, network.graph.name);
  row["steps"] = program.steps.size();
  const std::vector<std::uint8_t> inputs = convert_samples(program, data);
  std::int64_t numbers = 0;
  std::int64_t differing = 0;
  std::vector<std::int64_t> expected;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::vector<std::int64_t> result = by_definition(program, data, i);
    expected.insert(expected.end(), result.begin(), result.end());
  }
  row["sqnr_db"] = signal_to_noise(program, prepared, data, expected);
  for (const Core core : {Core::generic, Core::host, Core::cortex_m3, Core::cortex_m4}) {
    std::vector<std::int32_t> outputs(expected.size());
    ProgramRunner(program, core).run(inputs, data.size(), outputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) differing += outputs[i] != expected[i] ? 1 : 0;
    numbers += std::ssize(outputs);
  }
  row["numbers"] = numbers;
  row["differing"] = differing;
}

Json row_of(const fs::path& folder, const std::string& name) {
  Json row = {{"network", name}};
  try {
    const std::vector<Obstacle> obstacles = onnx_obstacles(folder / (name + ".onnx"), user_network_options(name));
    row["obstacles"] = Json::array();
    for (const Obstacle& obstacle : obstacles) row["obstacles"].push_back(obstacle.reason);
    if (!obstacles.empty()) return row;
    const UserNetwork network = read_user_network(folder, name);
    row["relative_difference"] = network.difference;
    deploy(network, row);
  } catch (const Error& error) {
    row["error"] = error.what();
  }
  return row;
}

}  // namespace
}  // namespace trimtab

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: bench_networks FOLDER [NAME ...]\n");
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  std::set<std::string> names(arguments + 2, arguments + count);
  if (names.empty()) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".onnx") names.insert(entry.path().stem().string());
    }
  }
  for (const std::string& name : names) {
    std::printf("%s\n", trimtab::row_of(folder, name).dump().c_str());
    std::fflush(stdout);
  }
  return 0;
}
