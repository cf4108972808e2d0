#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"

namespace trimtab {

/// Runs a network in float32 with libtorch.
class FloatNetwork {
 public:
  /// `device`: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1". `threads` (0: all cores) holds for everything
  /// that libtorch does in this process. Throws Error (bad input) where there is no such device.
  explicit FloatNetwork(Graph graph, const std::string& device = "auto", int threads = 0);
  ~FloatNetwork();
  FloatNetwork(const FloatNetwork&) = delete;
  FloatNetwork& operator=(const FloatNetwork&) = delete;
  FloatNetwork(FloatNetwork&&) noexcept;
  FloatNetwork& operator=(FloatNetwork&&) noexcept;

  /// Outputs {count, output shape...} for inputs {count, input shape...}, both in C order, channels first. Works
  /// through many samples `batch_size` at a time. Throws Error (bad input) where the number of inputs is wrong.
  [[nodiscard]] std::vector<float> run(std::span<const float> inputs, std::int64_t count,
                                       std::int64_t batch_size = 64) const;

  /// The same for all samples of a data set, preprocessed.
  [[nodiscard]] std::vector<float> run(const Dataset& data, const Preprocessing& preprocessing,
                                       std::int64_t batch_size = 64) const;

  [[nodiscard]] const Graph& graph() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trimtab
