// Several inputs and outputs, joined in vectors: every one has a grid of its own, from calibration to the file.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "import/onnx.h"
#include "learn/inference.h"
#include "learn/quantize.h"
#include "learn/quantized_simulation.h"
#include "measure/fidelity.h"
#include "plan/layers.h"
#include "plan/quantized_network_file.h"
#include "program/check.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "program/program_file.h"
#include "support/joined_network.h"
#include "support/naive_interpreter.h"

namespace trimtab {
namespace {

class Joined : public testing::Test {
 protected:
  Joined() : graph(prepare_for_deployment(joined_network(), {})), data(joined_samples(64)) {
    CalibrationOptions options;
    options.samples = 0;
    network = quantize_post_training(graph, uniform_plan(graph, 8, 8), data, options);
    program = lower(network, {}, {});
  }
  [[nodiscard]] std::vector<std::int32_t> run(const Program& which) const {
    const ProgramRunner runner(which);
    std::vector<std::int32_t> integers(static_cast<std::size_t>(runner.output_elements() * data.size()));
    runner.run(convert_samples(which, data), data.size(), integers);
    return integers;
  }

  Graph graph;
  Dataset data;
  QuantizedNetwork network;
  Program program;
};

TEST_F(Joined, EveryPartHasAGridOfItsOwn) {
  check_program(program, "joined");
  ASSERT_EQ(program.input_parts.size(), 2U);
  EXPECT_EQ(program.input_parts[1].name, "numbers");
  EXPECT_GT(program.input_parts[1].grid.scale, 100 * program.input_parts[0].grid.scale);
  ASSERT_EQ(program.output_parts.size(), 2U);
  EXPECT_EQ(program.output_parts[0].shape, (Shape{3, 4, 4}));
  EXPECT_GT(program.output_parts[1].grid.scale, 100 * program.output_parts[0].grid.scale);
  Task task;
  task.kind = TaskKind::outputs;
  task.output = graph.output_shape();
  task.parts = graph.output_parts;
  FidelityMeter meter(task);
  meter.add(real_outputs(program, run(program)), FloatNetwork(graph, "cpu", 1).run(data, {}));
  const Fidelity fidelity = meter.fidelity();
  ASSERT_EQ(fidelity.parts.size(), 2U);
  for (const Fidelity::Part& part : fidelity.parts) EXPECT_GT(part.sqnr_db.value_or(0), 30) << part.name;
}

TEST_F(Joined, TheProgramComputesWhatTheDefinitionAndTheSimulationDo) {
  const std::vector<std::int32_t> integers = run(program);
  const std::vector<ActivationGrid> grids = input_grids(program);
  const auto outputs = static_cast<std::size_t>(element_count(graph.output_shape()));
  for (std::int64_t i = 0; i < 8; ++i) {
    std::vector<std::int64_t> sample;
    for (std::size_t k = 0; k < grids.size(); ++k) sample.push_back(quantize(data.features[i][k], grids[k]));
    const std::vector<std::int64_t> expected = NaiveInterpreter::run(program, sample);
    for (std::size_t k = 0; k < outputs; ++k)
      EXPECT_EQ(integers[static_cast<std::size_t>(i) * outputs + k], expected[k]) << i << ", " << k;
  }
  const std::vector<std::int32_t> simulated = QuantizedSimulation(network).run(data, 0, data.size());
  ASSERT_EQ(simulated.size(), integers.size());
  std::int64_t differing = 0;
  for (std::size_t i = 0; i < integers.size(); ++i) differing += integers[i] != simulated[i] ? 1 : 0;
  EXPECT_LE(differing, std::ssize(integers) / 100);
}

TEST_F(Joined, FilesKeepTheParts) {
  const Program back = decode_program(encode_program(program), "memory");
  EXPECT_EQ(run(back), run(program));
  ASSERT_EQ(back.output_parts.size(), 2U);
  EXPECT_EQ(back.output_parts[1].grid, program.output_parts[1].grid);
  Program wrong = program;
  wrong.output_parts[0].shape = {3, 4, 5};
  EXPECT_THROW(check_program(wrong, "wrong"), Error);
  const QuantizedNetwork again = parse_quantized_network(serialize(network), "memory");
  EXPECT_EQ(again.graph.input_parts, network.graph.input_parts);
  EXPECT_EQ(run(lower(again, {}, {})), run(program));
}

TEST_F(Joined, OnnxHasTheInputsAndOutputsApart) {
  const std::vector<std::uint8_t> bytes = serialize_onnx(graph);
  ImportOptions options;
  options.outputs = {"map", "sums"};
  const Graph back = parse_onnx(bytes, "joined.onnx", {}, options);
  EXPECT_EQ(back.input_parts, graph.input_parts);
  EXPECT_EQ(back.output_parts, graph.output_parts);
  const std::vector<float> expected = FloatNetwork(graph, "cpu", 1).run(data, {});
  const std::vector<float> outputs = FloatNetwork(back, "cpu", 1).run(data, {});
  ASSERT_EQ(outputs.size(), expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    EXPECT_NEAR(outputs[i], expected[i], 1e-5 * std::abs(expected[i]) + 1e-5);
}

}  // namespace
}  // namespace trimtab
