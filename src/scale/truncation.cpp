#include "scale/truncation.h"

#include <algorithm>

#include "learn/nested_grid.h"
#include "learn/nested_rounding.h"
#include "learn/nested_simulation.h"
#include "learn/quantized_simulation.h"
#include "plan/layers.h"

namespace trimtab {
namespace {

double top1(const std::vector<float>& probabilities, const std::vector<std::int64_t>& labels) {
  const std::size_t classes = probabilities.size() / labels.size();
  std::int64_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.begin() + static_cast<std::ptrdiff_t>(i * classes);
    right += std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row == labels[i] ? 1 : 0;
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(labels.size());
}

}  // namespace

TruncationTable compare_truncation(const Graph& prepared, const Dataset& tune, const Dataset& test,
                                   const std::vector<int>& bits, const CalibrationOptions& options) {
  TruncationTable table;
  table.samples = test.size();
  for (const int b : bits) table.rows.push_back({b});
  const auto measure = [&](const NestedNetwork& network, bool corrected, double TruncationRow::*share) {
    NestedSimulation simulation(network, tune, corrected, options.threads);
    const std::size_t layers = fuse_layers(network.graph).size();
    for (TruncationRow& row : table.rows) {
      const std::vector<Precision> precision(layers, {row.weight_bits, stored_activation_bits});
      const QuantizedSimulation integers(at_point(network, simulation.point(precision)));
      row.*share = integers.score(test).at(Measure::top1);
    }
  };
  const NestedNetwork twos_complement = make_nested(prepared, tune, options, StoredWeights::Grid::twos_complement);
  measure(twos_complement, false, &TruncationRow::twos_complement);
  measure(twos_complement, true, &TruncationRow::twos_complement_corrected);
  NestedNetwork nested = make_nested(prepared, tune, options);
  measure(nested, false, &TruncationRow::nested);
  measure(nested, true, &TruncationRow::nested_corrected);
  learn_rounding(nested, calibration_samples(tune, options));
  measure(nested, true, &TruncationRow::nested_learned);
  NestedSimulation floats(nested, test, false, options.threads);
  table.top1_float = top1(floats.float_probabilities(), test.labels);
  return table;
}

}  // namespace trimtab
