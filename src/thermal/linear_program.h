#pragma once

#include <optional>
#include <vector>

namespace trimtab::thermal {

enum class RowKind { at_most, at_least, equal };

/// A constraint: coefficients times x, against the bound.
struct LinearRow {
  std::vector<double> coefficients;
  RowKind kind = RowKind::at_most;
  double bound = 0;
};

struct LinearSolution {
  std::vector<double> x;
  std::vector<double> duals;  ///< by row: gain of the objective when its bound rises by 1
  double value = 0;
};

/// Maximises objective * x over x >= 0 under the rows by GLPK's simplex. Nothing where the rows contradict each other.
[[nodiscard]] std::optional<LinearSolution> maximise(const std::vector<double>& objective,
                                                     const std::vector<LinearRow>& rows);

}  // namespace trimtab::thermal
