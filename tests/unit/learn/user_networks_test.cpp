#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "data/npy.h"
#include "import/onnx.h"
#include "learn/inference.h"
#include "support/models.h"

// Networks as people export them, with the answers of onnxruntime: read and run in float, or refused for a reason.
namespace trimtab {
namespace {

/// No ConvNets, networks in training mode, and what is not read yet.
const std::set<std::string> refused_networks{"adaptive7from32_dyn_op18_N",
                                             "bn_training_mode",
                                             "groupnorm_dyn_op18_N",
                                             "groupnorm_ts_op13_N",
                                             "gru",
                                             "instancenorm",
                                             "l2norm_embedding",
                                             "layernorm",
                                             "lrn_alexnet",
                                             "lstm",
                                             "lstm_ts_op13_N",
                                             "two_inputs"};
const std::set<std::string> channels_last_inputs{"permute_nhwc_in_ts_op13_N", "output_is_image_after_softmax_nhwc"};
const std::set<std::string> channels_last_outputs{"output_is_image_after_softmax_nhwc"};

std::vector<float> numbers_of(const std::filesystem::path& path) {
  return std::visit([](const auto& data) { return std::vector<float>(data.begin(), data.end()); }, read_npy(path).data);
}

/// Samples {C, H, W} of samples {H, W, C}.
std::vector<float> channels_first(const std::vector<float>& x, const Shape& shape) {
  const auto channels = static_cast<std::size_t>(shape[0]);
  const auto pixels = static_cast<std::size_t>(shape[1] * shape[2]);
  std::vector<float> result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t sample = i / (channels * pixels);
    const std::size_t rest = i % (channels * pixels);
    result[(sample * channels + rest % channels) * pixels + rest / channels] = x[i];
  }
  return result;
}

/// The place of each sample's largest number.
std::vector<float> largest_places(const std::vector<float>& x, std::size_t outputs) {
  std::vector<float> places;
  for (auto row = x.begin(); row != x.end(); row += static_cast<std::ptrdiff_t>(outputs)) {
    places.push_back(static_cast<float>(std::max_element(row, row + static_cast<std::ptrdiff_t>(outputs)) - row));
  }
  return places;
}

void expect_same_answers(const std::filesystem::path& folder, const std::string& name) {
  ImportOptions options;
  if (name == "two_outputs_detector") options.output = "softmax_8";
  const Graph graph = read_onnx(folder / (name + ".onnx"), options);
  std::vector<float> inputs = numbers_of(folder / (name + ".input0.npy"));
  std::vector<float> expected = numbers_of(folder / (name + ".output0.npy"));
  if (channels_last_inputs.contains(name)) inputs = channels_first(inputs, graph.input_shape());
  if (channels_last_outputs.contains(name)) expected = channels_first(expected, graph.output_shape());
  const std::int64_t count = static_cast<std::int64_t>(inputs.size()) / element_count(graph.input_shape());
  std::vector<float> outputs = FloatNetwork(graph, "cpu", 1).run(inputs, count);
  if (name == "argmax_end") {
    outputs = largest_places(outputs, static_cast<std::size_t>(element_count(graph.output_shape())));
  }
  ASSERT_EQ(outputs.size(), expected.size());
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(outputs[i]) - expected[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  EXPECT_LE(difference, 1e-5 * largest);
}

TEST(UserNetworks, AnswerAsOnnxruntimeOrAreRefused) {
  const std::filesystem::path folder = models / "user-nets";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "shared/models/user-nets is absent";
  int read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    const std::string name = entry.path().stem().string();
    SCOPED_TRACE(name);
    const std::vector<Obstacle> obstacles =
        onnx_obstacles(entry.path(), {{}, name == "two_outputs_detector" ? "softmax_8" : ""});
    EXPECT_EQ(!obstacles.empty(), refused_networks.contains(name)) << (obstacles.empty() ? "" : obstacles[0].reason);
    if (!obstacles.empty()) continue;
    expect_same_answers(folder, name);
    ++read;
  }
  EXPECT_GE(read, 158);
}

}  // namespace
}  // namespace trimtab
