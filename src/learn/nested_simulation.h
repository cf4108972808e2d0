#pragma once

#include <memory>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "plan/nested_network.h"

namespace trimtab {

/// Runs a nested network at any precision in libtorch, on real numbers that lie on the grids. It runs over the same
/// samples again and again, so that sensitivities can be measured. Biases are corrected on the way, layer after layer:
/// every output channel of a Conv or Linear keeps the mean that it has over these samples in the float network. Where
/// the network was trained on the grids, it keeps the mean at its reference precision. Values of the point that was
/// kept last stay in memory. A run computes only the layers from the first one that differs from that point.
class NestedSimulation {
 public:
  /// `samples` are raw; all of them are held as floats, with every value that the network makes of them. `threads`: 0
  /// means all cores.
  NestedSimulation(const NestedNetwork& network, const Dataset& samples, bool correct_biases, int threads);
  ~NestedSimulation();
  NestedSimulation(NestedSimulation&&) noexcept;
  NestedSimulation& operator=(NestedSimulation&&) noexcept;

  /// The outputs of the float network, {samples, outputs}, channels first.
  [[nodiscard]] const std::vector<float>& float_outputs() const;

  /// The outputs at a precision, by layer.
  [[nodiscard]] std::vector<float> outputs(const std::vector<Precision>& precision);

  /// The same. The values of this point are then kept.
  std::vector<float> keep(const std::vector<Precision>& precision);

  /// The point with its corrected biases.
  [[nodiscard]] OperatingPoint point(const std::vector<Precision>& precision);

  /// Takes another network of the same graph, for instance with other roundings. Weights and grids are taken anew, and
  /// nothing is kept.
  void replace(const NestedNetwork& network);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace trimtab
