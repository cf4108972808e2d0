#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "data/npy.h"
#include "import/network_file.h"
#include "import/tflite_translation.h"
#include "support/models.h"
#include "support/reference.h"

// Networks as converters write them, against what LiteRT answers.
namespace trimtab {
namespace {

/// Row `sample` of an array, as floats.
std::vector<float> row_of(const NpyArray& array, std::int64_t sample, float scale, float zero_point) {
  const std::int64_t length = element_count(array.shape) / array.shape[0];
  std::vector<float> row;
  std::visit(
      [&](const auto& data) {
        for (std::int64_t i = sample * length; i < (sample + 1) * length; ++i) {
          row.push_back(scale * (static_cast<float>(data[static_cast<std::size_t>(i)]) - zero_point));
        }
      },
      array.data);
  return row;
}

/// Channels last to channels first.
std::vector<float> turned(const std::vector<float>& image, const Shape& shape) {
  if (shape.size() != 3) return image;
  std::vector<float> result;
  const std::int64_t pixels = shape[1] * shape[2];
  for (std::int64_t c = 0; c < shape[0]; ++c) {
    for (std::int64_t p = 0; p < pixels; ++p) result.push_back(image[static_cast<std::size_t>(p * shape[0] + c)]);
  }
  return result;
}

struct TfliteGolden {
  const char* name;
  double tolerance;
  std::int64_t samples;
};

class TfliteGoldenTest : public testing::TestWithParam<TfliteGolden> {};

TEST_P(TfliteGoldenTest, AgreesWithLiteRt) {
  const auto [name, tolerance, samples] = GetParam();
  const auto folder = models / "tflite";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "shared/models is absent";
  const Graph graph = load_network(folder / (std::string(name) + ".tflite"));
  const NpyArray inputs = read_npy(folder / (std::string(name) + ".input0.npy"));
  const NpyArray outputs = read_npy(folder / (std::string(name) + ".output0.npy"));
  const auto grid_of = [&](ValueId value) {
    return graph.values[static_cast<std::size_t>(value)].grid.value_or(SourceGrid{1, 0});
  };
  const SourceGrid in = grid_of(graph.input);
  const SourceGrid out = grid_of(graph.output);
  for (std::int64_t i = 0; i < samples; ++i) {
    const auto sample = turned(row_of(inputs, i, in.scale, static_cast<float>(in.zero_point)), graph.input_shape());
    const auto expected = row_of(outputs, i, out.scale, static_cast<float>(out.zero_point));
    EXPECT_LE(reference::difference(reference::run(graph, sample), expected), tolerance) << "sample " << i;
  }
}

// kws_float has 8-bit weights: LiteRT quantizes the activations in front of them, too. The int8 networks have
// probabilities in steps of 1/256.
INSTANTIATE_TEST_SUITE_P(Networks, TfliteGoldenTest,
                         testing::Values(TfliteGolden{"resnet_large_cifar10_float", 1e-4, 2},
                                         TfliteGolden{"kws_float", 0.02, 8},
                                         TfliteGolden{"resnet_large_cifar10_int8", 0.1, 2},
                                         TfliteGolden{"streaming_wakeword_int8", 0.05, 8}),
                         [](const auto& test) { return std::string(test.param.name); });

/// The network has two outputs, each the pixels of two maps in a row. A Graph has one output, so that each map is
/// compared as the output of a network of its own.
TEST(TfliteGolden, BlazeFaceMapByMap) {
  const auto folder = models / "tflite";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "shared/models is absent";
  tflite_reader::TfliteModel model(read_file(folder / "blazeface_front_float16.tflite"));
  const auto row = turned(row_of(read_npy(folder / "blazeface_front_float16.input0.npy"), 0, 1, 0), {3, 128, 128});
  const auto ends = model.outputs;
  ASSERT_EQ(ends.size(), 2U);
  const auto maker = [&](std::int32_t tensor) {
    return *std::find_if(model.operators.begin(), model.operators.end(),
                         [&](const auto& node) { return node.outputs[0] == tensor; });
  };
  for (std::size_t i = 0; i < ends.size(); ++i) {
    std::vector<float> answer;
    const auto joined = maker(ends[i]);
    ASSERT_EQ(joined.type, "CONCATENATION");
    for (const std::int32_t part : joined.inputs) {
      const auto cut = maker(part);
      ASSERT_EQ(cut.type, "RESHAPE");
      model.outputs = {cut.inputs[0]};
      const Graph graph = tflite_reader::Translation(model).graph("blazeface", {});
      const auto map = reference::run(graph, row);
      const Shape& shape = graph.output_shape();
      const std::int64_t pixels = shape[1] * shape[2];
      for (std::int64_t p = 0; p < pixels; ++p) {  // channels last
        for (std::int64_t c = 0; c < shape[0]; ++c) answer.push_back(map[static_cast<std::size_t>(c * pixels + p)]);
      }
    }
    const auto file = folder / ("blazeface_front_float16.output" + std::to_string(i) + ".npy");
    const auto expected = row_of(read_npy(file), 0, 1, 0);
    EXPECT_LE(reference::difference(answer, expected), 1e-4 * reference::largest(expected)) << "output " << i;
  }
}

}  // namespace
}  // namespace trimtab
