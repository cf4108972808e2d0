#pragma once

// Networks as people export them (shared/models/user-nets), with samples and onnxruntime's answers.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "data/npy.h"
#include "import/onnx.h"
#include "learn/inference.h"

namespace trimtab {

inline ImportOptions user_network_options(const std::string& name) {
  ImportOptions options;
  if (name == "two_outputs_detector") options.outputs = {"softmax_8"};
  return options;
}

inline std::vector<float> npy_numbers(const std::filesystem::path& path) {
  return std::visit([](const auto& data) { return std::vector<float>(data.begin(), data.end()); }, read_npy(path).data);
}

/// The samples of all inputs, of a network with several one behind the other.
inline std::vector<float> network_inputs(const std::filesystem::path& folder, const std::string& name,
                                         const Graph& graph) {
  if (graph.input_parts.empty()) return npy_numbers(folder / (name + ".input0.npy"));
  std::vector<std::vector<float>> parts;
  for (std::size_t i = 0; i < graph.input_parts.size(); ++i)
    parts.push_back(npy_numbers(folder / (name + ".input" + std::to_string(i) + ".npy")));
  std::vector<float> joined;
  const std::int64_t samples = std::ssize(parts[0]) / element_count(graph.input_parts[0].shape);
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::int64_t size = element_count(graph.input_parts[i].shape);
      joined.insert(joined.end(), parts[i].begin() + sample * size, parts[i].begin() + (sample + 1) * size);
    }
  }
  return joined;
}

/// Samples {C, H, W} of samples {H, W, C}.
inline std::vector<float> channels_first(const std::vector<float>& x, const Shape& shape) {
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
inline std::vector<float> largest_places(const std::vector<float>& x, std::size_t outputs) {
  std::vector<float> places;
  for (auto row = x.begin(); row != x.end(); row += static_cast<std::ptrdiff_t>(outputs)) {
    places.push_back(static_cast<float>(std::max_element(row, row + static_cast<std::ptrdiff_t>(outputs)) - row));
  }
  return places;
}

/// A network that can be read, its samples (channels first), and how far its answers are from onnxruntime's: the
/// largest difference over the largest number; infinite where there are not as many.
struct UserNetwork {
  Graph graph;
  std::vector<float> inputs;
  std::int64_t samples = 0;
  double difference = INFINITY;
};

inline UserNetwork read_user_network(const std::filesystem::path& folder, const std::string& name) {
  static const std::set<std::string> channels_last_inputs{"permute_nhwc_in_ts_op13_N",
                                                          "output_is_image_after_softmax_nhwc"};
  static const std::set<std::string> channels_last_outputs{"output_is_image_after_softmax_nhwc"};
  UserNetwork network;
  network.graph = read_onnx(folder / (name + ".onnx"), user_network_options(name));
  network.inputs = network_inputs(folder, name, network.graph);
  std::vector<float> expected = npy_numbers(folder / (name + ".output0.npy"));
  const Graph& graph = network.graph;
  if (channels_last_inputs.contains(name)) network.inputs = channels_first(network.inputs, graph.input_shape());
  if (channels_last_outputs.contains(name)) expected = channels_first(expected, graph.output_shape());
  network.samples = static_cast<std::int64_t>(network.inputs.size()) / element_count(graph.input_shape());
  std::vector<float> outputs = FloatNetwork(graph, "cpu", 1).run(network.inputs, network.samples);
  if (name == "argmax_end") {
    outputs = largest_places(outputs, static_cast<std::size_t>(element_count(graph.output_shape())));
  }
  if (outputs.size() != expected.size()) return network;
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(outputs[i]) - expected[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  network.difference = difference > 0 ? difference / largest : 0;
  return network;
}

}  // namespace trimtab
