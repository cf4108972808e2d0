#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "measure/warnings.h"

namespace trimtab {

/// Another preprocessing of pixels (none, unit, imagenet, mobilenet) makes a classifier far better: 15 points more on
/// up to 256 samples. Nothing where no task with classes is given, or fewer than 100 samples.
[[nodiscard]] std::optional<std::string> preprocessing_warning(const Graph& graph, const Dataset& data,
                                                               const Preprocessing& preprocessing, const Task& task,
                                                               int threads);

/// All that is to be said of a float network that was measured on the data: `answers` are those that it gave.
[[nodiscard]] std::vector<std::string> network_warnings(const Graph& graph, const Dataset& data,
                                                        const Preprocessing& preprocessing, const Task& task,
                                                        const AnswerCount& answers, int threads);

}  // namespace trimtab
