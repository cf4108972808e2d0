// This program takes networks as people export them. It finds which can be read, how far their answers are from
// onnxruntime's, which run as integers, and whether all kernels that this machine can run, and an emulated Cortex-M4,
// give the numbers of the definition. It prints JSON, a network a line. scripts/results-networks makes
// results/networks.md of it.
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
#include "base/file.h"
#include "emit/deploy.h"
#include "emit/firmware.h"
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
  const std::vector<ActivationGrid> grids = input_grids(program);
  std::vector<std::int64_t> integers;
  for (std::int64_t i = 0; i < input.elements(); ++i) {
    const std::int64_t from = i % input.channels * pixels + i / input.channels;
    integers.push_back(quantize(numbers[static_cast<std::size_t>(from)], grids[static_cast<std::size_t>(i)]));
  }
  return NaiveInterpreter::run(program, integers);
}

/// Of the program's answers to the float network's, in dB.
double signal_to_noise(const Program& program, const Graph& prepared, const Dataset& data,
                       const std::vector<std::int32_t>& integers) {
  const std::vector<float> reals = FloatNetwork(prepared, "cpu", 1).run(data, {});
  const std::vector<float> answers = real_outputs(program, {integers.begin(), integers.end()});
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const double error = static_cast<double>(reals[i]) - answers[i];
    signal += static_cast<double>(reals[i]) * reals[i];
    noise += error * error;
  }
  return 10 * std::log10(signal / noise);
}

/// Adds how many numbers of the emulated device are not the host's, or why it cannot run the program.
void emulate(const Program& program, const std::vector<std::uint8_t>& inputs, std::int64_t samples, Json& row) {
  const Target target = with_memory_of_board(load_target("stm32f412"));
  const TemporaryDirectory folder;
  try {
    const Deployment deployment = deploy(program, schedule(program, Core::cortex_m4), target, "net", inputs,
                                         host_outputs(program, inputs, samples), folder.path());
    row["emulated_samples"] = deployment.samples;
    row["emulated_differing"] = deployment.mismatches;
    row["instructions"] = deployment.instructions();
  } catch (const Error& error) {
    if (error.code() != ExitCode::bound_not_met) throw;
    row["not_emulated"] = error.what();
  }
}

/// Adds what the integer program is, and how many of its numbers differ.
void run_integers(const UserNetwork& network, Json& row) {
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
  std::vector<std::int32_t> expected;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::vector<std::int64_t> result = by_definition(program, data, i);
    for (const std::int64_t integer : result) expected.push_back(static_cast<std::int32_t>(integer));
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
  emulate(program, inputs, data.size(), row);
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
    run_integers(network, row);
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
