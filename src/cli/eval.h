#pragma once

#include <string>

#include "cli/common.h"
#include "data/dataset.h"
#include "learn/evaluate.h"

namespace trimtab::cli {

/// The arguments of `trimtab eval`.
struct EvalOptions {
  CommonOptions common;
  std::string model;
  ModelChoice choice;
  std::string data;
  std::string preprocessing;
  std::size_t point = 0;
  std::string split = "test";
  DataOptions source;
  EvaluateOptions evaluation;
};

/// Measures a float network. Needs libtorch: see learning.h.
void evaluate_network(EvalOptions& options);

}  // namespace trimtab::cli
