#include "thermal/linear_program.h"

#include <glpk.h>

#include <algorithm>
#include <memory>

#include "base/index.h"

namespace trimtab::thermal {
namespace {

int glpk_kind(RowKind kind) {
  switch (kind) {
    case RowKind::at_most:
      return GLP_UP;
    case RowKind::at_least:
      return GLP_LO;
    case RowKind::equal:
      return GLP_FX;
  }
  return GLP_FR;
}

}  // namespace

std::optional<LinearSolution> maximise(const std::vector<double>& objective, const std::vector<LinearRow>& rows) {
  const std::unique_ptr<glp_prob, decltype(&glp_delete_prob)> problem(glp_create_prob(), &glp_delete_prob);
  glp_prob* lp = problem.get();
  glp_set_obj_dir(lp, GLP_MAX);
  const int columns = static_cast<int>(objective.size());
  glp_add_cols(lp, columns);
  for (int j = 1; j <= columns; ++j) {
    glp_set_col_bnds(lp, j, GLP_LO, 0, 0);
    glp_set_obj_coef(lp, j, nth(objective, j - 1));
  }
  glp_add_rows(lp, static_cast<int>(rows.size()));
  std::vector<int> indices;
  std::vector<double> values;
  for (int i = 1; i <= static_cast<int>(rows.size()); ++i) {
    const LinearRow& row = nth(rows, i - 1);
    glp_set_row_bnds(lp, i, glpk_kind(row.kind), row.bound, row.bound);
    indices.assign(1, 0);  // GLPK counts from 1
    values.assign(1, 0);
    for (int j = 1; j <= columns; ++j) {
      const double coefficient = nth(row.coefficients, j - 1);
      if (coefficient == 0) continue;
      indices.push_back(j);
      values.push_back(coefficient);
    }
    glp_set_mat_row(lp, i, static_cast<int>(indices.size()) - 1, indices.data(), values.data());
  }
  glp_smcp parameters;
  glp_init_smcp(&parameters);
  parameters.msg_lev = GLP_MSG_OFF;
  if (glp_simplex(lp, &parameters) != 0 || glp_get_status(lp) != GLP_OPT) return std::nullopt;
  LinearSolution solution;
  solution.value = glp_get_obj_val(lp);
  for (int j = 1; j <= columns; ++j) solution.x.push_back(std::max(0.0, glp_get_col_prim(lp, j)));
  for (int i = 1; i <= static_cast<int>(rows.size()); ++i) solution.duals.push_back(glp_get_row_dual(lp, i));
  return solution;
}

}  // namespace trimtab::thermal
