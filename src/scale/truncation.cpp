#include "scale/truncation.h"

#include "learn/evaluate.h"
#include "learn/nested_grid.h"
#include "learn/nested_rounding.h"
#include "learn/nested_simulation.h"
#include "learn/quantized_simulation.h"
#include "plan/layers.h"

namespace trimtab {
TruncationTable compare_truncation(const Graph& prepared, const Task& task, const Dataset& tune, const Dataset& test,
                                   const std::vector<int>& bits, const CalibrationOptions& options) {
  TruncationTable table;
  table.samples = test.size();
  for (const int b : bits) table.rows.push_back({b});
  const auto measure = [&](const NestedNetwork& network, bool corrected, double TruncationRow::*measured) {
    NestedSimulation simulation(network, tune, corrected, options.threads);
    const std::size_t layers = fuse_layers(network.graph).size();
    for (TruncationRow& row : table.rows) {
      const std::vector<Precision> precision(layers, {row.weight_bits, stored_activation_bits});
      const QuantizedSimulation integers(at_point(network, simulation.point(precision)));
      row.*measured = primary(task, integers.score(test, task));
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
  EvaluateOptions evaluation;
  evaluation.device = "cpu";
  evaluation.threads = options.threads;
  evaluation.task = task;
  table.real = primary(task, evaluate(prepared, test, {}, evaluation));
  return table;
}

}  // namespace trimtab
