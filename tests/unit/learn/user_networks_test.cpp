#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "import/onnx.h"
#include "support/models.h"
#include "support/user_networks.h"

// Networks as people export them, with the answers of onnxruntime: read and run in float, or refused for a reason.
namespace trimtab {
namespace {

/// No ConvNets, and networks in training mode.
const std::set<std::string> refused_networks{"bn_training_mode",
                                             "groupnorm_dyn_op18_N",
                                             "groupnorm_ts_op13_N",
                                             "gru",
                                             "instancenorm",
                                             "l2norm_embedding",
                                             "layernorm",
                                             "lrn_alexnet",
                                             "lstm",
                                             "lstm_ts_op13_N"};
TEST(UserNetworks, AnswerAsOnnxruntimeOrAreRefused) {
  const std::filesystem::path folder = models / "user-nets";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "shared/models/user-nets is absent";
  int read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    const std::string name = entry.path().stem().string();
    SCOPED_TRACE(name);
    const std::vector<Obstacle> obstacles = onnx_obstacles(entry.path(), user_network_options(name));
    EXPECT_EQ(!obstacles.empty(), refused_networks.contains(name)) << (obstacles.empty() ? "" : obstacles[0].reason);
    if (!obstacles.empty()) continue;
    EXPECT_LE(read_user_network(folder, name).difference, 1e-5);
    ++read;
  }
  EXPECT_GE(read, 160);
}

/// Largest difference, by the largest number.
double relative_difference(std::span<const float> got, std::span<const float> expected) {
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(got[i]) - expected[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return difference / largest;
}

/// Both outputs of a detector, in either order, as onnxruntime gives each.
TEST(UserNetworks, JoinSeveralOutputs) {
  const std::filesystem::path folder = models / "user-nets";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "shared/models/user-nets is absent";
  const std::vector<float> inputs = npy_numbers(folder / "two_outputs_detector.input0.npy");
  const std::map<std::string, std::vector<float>> expected = {
      {"softmax_8", npy_numbers(folder / "two_outputs_detector.output0.npy")},
      {"conv_11", npy_numbers(folder / "two_outputs_detector.output1.npy")}};
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"softmax_8", "conv_11"}, {"conv_11", "softmax_8"}}) {
    ImportOptions options;
    options.outputs = names;
    const Graph graph = read_onnx(folder / "two_outputs_detector.onnx", options);
    ASSERT_EQ(graph.output_parts.size(), 2U);
    const std::int64_t count = static_cast<std::int64_t>(inputs.size()) / element_count(graph.input_shape());
    const std::vector<float> outputs = FloatNetwork(graph, "cpu", 1).run(inputs, count);
    const auto all = static_cast<std::size_t>(element_count(graph.output_shape()));
    ASSERT_EQ(outputs.size(), all * static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t p = 0; p < 2; ++p) {
      EXPECT_EQ(graph.output_parts[p].name, names[p]);
      const auto size = static_cast<std::size_t>(element_count(graph.output_parts[p].shape));
      std::vector<float> own;
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        const auto first = outputs.begin() + static_cast<std::ptrdiff_t>(i * all + begin);
        own.insert(own.end(), first, first + static_cast<std::ptrdiff_t>(size));
      }
      ASSERT_EQ(own.size(), expected.at(names[p]).size());
      EXPECT_LE(relative_difference(own, expected.at(names[p])), 1e-5) << names[p];
      begin += size;
    }
    EXPECT_EQ(begin, all);
  }
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"conv_11", "conv_11"}, {"conv_11", "absent"}}) {
    ImportOptions options;
    options.outputs = wrong;
    EXPECT_THROW((void)read_onnx(folder / "two_outputs_detector.onnx", options), Error);
  }
}

}  // namespace
}  // namespace trimtab
