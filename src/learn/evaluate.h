#pragma once

#include <cstdint>
#include <string>

#include "data/dataset.h"
#include "graph/graph.h"

namespace trimtab {

/// How good a classifier is on a data set.
struct Evaluation {
  std::int64_t samples = 0;
  double top1 = 0;  ///< percent of the samples whose label has the largest output (of equal ones the first counts)
  double top5 = 0;  ///< percent of the samples whose label is among the five largest
  double loss = 0;  ///< mean cross entropy, nats
};

struct EvaluateOptions {
  std::int64_t batch_size = 256;
  int threads = 0;              ///< 0: all cores
  std::string device = "auto";  ///< "cpu", "cuda", "cuda:1"; "auto": CUDA where there is one
};

/// Measures the network, in float, on all samples. Throws Error (bad input) where the samples do not fit its input or
/// the classes its output.
[[nodiscard]] Evaluation evaluate(const Graph& graph, const Dataset& data, const Preprocessing& preprocessing,
                                  const EvaluateOptions& options);

}  // namespace trimtab
