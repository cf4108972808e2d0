#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "import/onnx.h"
#include "support/models.h"
#include "support/reference.h"

namespace trimtab {
namespace {

struct Golden {
  const char* name;
  bool probabilities;  ///< compared absolutely, to 1e-4; logits relative to the largest, to 1e-3
  std::size_t samples;
};

std::vector<float> read_floats(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(float));
  return numbers;
}

class GoldenTest : public testing::TestWithParam<Golden> {};

TEST_P(GoldenTest, ReferenceMatches) {
  const auto [name, probabilities, samples] = GetParam();
  if (!std::filesystem::exists(models)) GTEST_SKIP() << "shared/models is absent";
  const Graph graph = read_onnx(models / (std::string(name) + ".onnx"));
  const auto input = read_floats(models / "golden" / (std::string(name) + "_in.f32"));
  const auto output = read_floats(models / "golden" / (std::string(name) + "_out.f32"));
  const auto in = static_cast<std::ptrdiff_t>(element_count(graph.input_shape()));
  const auto out = static_cast<std::ptrdiff_t>(element_count(graph.output_shape()));
  ASSERT_EQ(input.size() / static_cast<std::size_t>(in), output.size() / static_cast<std::size_t>(out));
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(samples); ++i) {
    const auto computed = reference::run(graph, {input.begin() + i * in, input.begin() + (i + 1) * in});
    const std::vector<float> expected(output.begin() + i * out, output.begin() + (i + 1) * out);
    float largest = 0;
    for (const float x : expected) largest = std::max(largest, std::abs(x));
    EXPECT_LE(reference::difference(computed, expected), probabilities ? 1e-4 : 1e-3 * largest) << "sample " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, GoldenTest,
                         testing::Values(Golden{"resnet8_cifar10", true, 2}, Golden{"dscnn_kws", true, 4},
                                         Golden{"mobilenetv1_0.25_vww96", true, 2}, Golden{"squeezenet1.1", false, 1}),
                         [](const auto& test) {
                           std::string name = test.param.name;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

TEST(Models, DequantizedMobileNetIsRead) {
  if (!std::filesystem::exists(models)) GTEST_SKIP() << "shared/models is absent";
  const Graph graph = read_onnx(models / "mobilenetv1_0.25_128_dequant.onnx");
  EXPECT_EQ(graph.input_shape(), (Shape{3, 128, 128}));
  EXPECT_EQ(element_count(graph.output_shape()), 1001);
  std::int64_t macs = 0;
  for (const Node& node : graph.nodes) macs += multiply_accumulates(graph, node);
  // Howard et al. 2017, table 7 scaled: MobileNetV1 0.25 at 128 pixels has 14 million multiply-adds
  EXPECT_NEAR(static_cast<double>(macs), 14e6, 0.5e6);
}

TEST(Models, CountsAreThePublishedOnes) {
  if (!std::filesystem::exists(models)) GTEST_SKIP() << "shared/models is absent";
  const auto parameters = [](const char* name) {
    std::int64_t count = 0;
    for (const Node& node : read_onnx(models / name).nodes) count += parameter_count(node);
    return count;
  };
  EXPECT_EQ(parameters("resnet8_cifar10.onnx"), 78'666);
  EXPECT_EQ(parameters("dscnn_kws.onnx"), 24'908);
  EXPECT_EQ(parameters("mobilenetv1_0.25_vww96.onnx"), 221'794);
  EXPECT_EQ(parameters("squeezenet1.1.onnx"), 1'235'496);
}

}  // namespace
}  // namespace trimtab
