#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "data/npy.h"
#include "graph/passes.h"
#include "import/network_file.h"
#include "learn/quantize.h"
#include "plan/layers.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "support/models.h"
#include "support/quantized_reference.h"

// Networks that come quantized, as programs, against the answers of the runtimes that they were made for.
namespace trimtab {
namespace {

struct AdoptedCase {
  const char* file;
  const char* input;
  const char* output;
  bool channels_last;
  double input_offset;  ///< a pixel is the stored number plus this
  double output_scale;  ///< of the stored probabilities
  double output_zero;
  double by_definition;  ///< the largest difference of a probability
  double by_program;
};

std::vector<float> numbers_of(const std::filesystem::path& path) {
  return std::visit([](const auto& data) { return std::vector<float>(data.begin(), data.end()); }, read_npy(path).data);
}

/// The stored pictures as pixels.
Dataset pictures(const AdoptedCase& own, const Shape& shape) {
  const std::vector<float> stored = numbers_of(models / own.input);
  const auto size = static_cast<std::size_t>(element_count(shape));
  const auto channels = static_cast<std::size_t>(shape[0]);
  const std::size_t pixels = size / channels;
  std::vector<std::uint8_t> bytes(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const std::size_t within = i % size;
    const std::size_t to = own.channels_last ? within % channels * pixels + within / channels : within;
    bytes[i - within + to] = static_cast<std::uint8_t>(std::lround(stored[i] + own.input_offset));
  }
  Dataset data;
  data.shape = shape;
  data.labels.assign(stored.size() / size, 0);
  data.pixels = {std::move(bytes), static_cast<std::int64_t>(size)};
  return data;
}

class AdoptedGrids : public testing::TestWithParam<AdoptedCase> {};

TEST_P(AdoptedGrids, AnswerAsTheirOwnRuntime) {
  const AdoptedCase& own = GetParam();
  if (!std::filesystem::exists(models / own.file)) GTEST_SKIP() << "shared/models is absent";
  const Graph prepared = prepare_for_deployment(load_network(models / own.file), {});
  const Dataset data = pictures(own, prepared.input_shape());
  // With 8 bits for the output as well, no grid is open: one sample is enough for the calibration.
  Plan plan = uniform_plan(prepared, 8, 8);
  plan.layers.back().activation_bits = 8;
  const QuantizedNetwork network = quantize_post_training(prepared, plan, data.slice(0, 1), {});
  const Program program = lower(network, {}, {});
  const ProgramRunner runner(program);
  std::vector<std::int32_t> integers(static_cast<std::size_t>(runner.output_elements() * data.size()));
  runner.run(convert_samples(program, data), data.size(), integers, 1);
  const std::vector<float> found = probabilities(program, integers);
  const std::vector<float> stored = numbers_of(models / own.output);
  ASSERT_EQ(found.size(), stored.size());
  const auto outputs = static_cast<std::size_t>(runner.output_elements());
  const Graph graph = load_network(models / own.file);
  double by_program = 0;
  double by_definition = 0;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    reference::Values sample(static_cast<std::size_t>(element_count(data.shape)));
    data.read(i, {}, sample);
    const reference::Values reals = reference::run_on_grids(graph, sample);
    for (std::size_t o = 0; o < outputs; ++o) {
      const std::size_t place = static_cast<std::size_t>(i) * outputs + o;
      const double expected = own.output_scale * (static_cast<double>(stored[place]) - own.output_zero);
      by_program = std::max(by_program, std::abs(static_cast<double>(found[place]) - expected));
      by_definition = std::max(by_definition, std::abs(static_cast<double>(reals[o]) - expected));
    }
  }
  EXPECT_LE(by_definition, own.by_definition);
  EXPECT_LE(by_program, own.by_program);
}

/// The definition leaves nothing open but how a runtime computes sums of floats. The program rounds halves upward, the
/// runtimes round them to even: of the 64 means of 64 numbers in front of the last layer one in 64 is a half, and one
/// step there moves a logit by up to 0.4.
INSTANTIATE_TEST_SUITE_P(
    Networks, AdoptedGrids,
    testing::Values(
        AdoptedCase{"quantized-onnx/resnet8_qdq_s8s8.onnx", "quantized-onnx/resnet8_qdq_s8s8.input.npy",
                    "quantized-onnx/resnet8_qdq_s8s8.output.npy", false, 0, 1, 0, 0.06, 0.1},
        AdoptedCase{"quantized-onnx/resnet8_qdq_u8s8_sym_weights.onnx",
                    "quantized-onnx/resnet8_qdq_u8s8_sym_weights.input.npy",
                    "quantized-onnx/resnet8_qdq_u8s8_sym_weights.output.npy", false, 0, 1, 0, 0.06, 0.1},
        AdoptedCase{"quantized-onnx/resnet8_qoperator_u8s8.onnx", "quantized-onnx/resnet8_qoperator_u8s8.input.npy",
                    "quantized-onnx/resnet8_qoperator_u8s8.output.npy", false, 0, 1, 0, 0, 0.08},
        AdoptedCase{"tflite/resnet_large_cifar10_int8.tflite", "tflite/resnet_large_cifar10_int8.input0.npy",
                    "tflite/resnet_large_cifar10_int8.output0.npy", true, 128, 1.0 / 256, -128, 0, 1.0 / 256}));

}  // namespace
}  // namespace trimtab
