#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "import/onnx.h"
#include "learn/inference.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

const fs::path models = TRIMTAB_SOURCE_DIR "/../shared/models";

struct Golden {
  std::string name;
  std::int64_t samples;
  bool probabilities;  ///< compared absolutely, to 1e-4; logits relative to the largest, to 1e-3
};

std::vector<float> read_floats(const fs::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  std::vector<float> result(bytes.size() / sizeof(float));
  std::memcpy(result.data(), bytes.data(), result.size() * sizeof(float));
  return result;
}

/// Real networks give what an independent evaluator gave for all of its samples.
TEST(Golden, NetworksMatch) {
  if (!fs::exists(models)) GTEST_SKIP() << "shared/models is absent";
  for (const Golden& golden : {Golden{"resnet8_cifar10", 16, true}, Golden{"squeezenet1.1", 4, false},
                               Golden{"mobilenetv1_0.25_vww96", 8, true}, Golden{"dscnn_kws", 4, true}}) {
    SCOPED_TRACE(golden.name);
    const FloatNetwork network(read_onnx(models / (golden.name + ".onnx")), "cpu", 1);
    const std::vector<float> expected = read_floats(models / "golden" / (golden.name + "_out.f32"));
    const std::vector<float> outputs =
        network.run(read_floats(models / "golden" / (golden.name + "_in.f32")), golden.samples);
    ASSERT_EQ(outputs.size(), expected.size());
    float largest = 0;
    float difference = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      difference = std::max(difference, std::abs(outputs[i] - expected[i]));
    }
    EXPECT_LE(difference, golden.probabilities ? 1e-4F : 1e-3F * largest);
    RecordProperty(golden.name, std::to_string(difference));
  }
}

}  // namespace
}  // namespace trimtab
