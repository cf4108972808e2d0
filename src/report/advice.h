#pragma once

#include <string>
#include <vector>

#include "report/facts.h"

namespace trimtab {

/// What may win back accuracy that a layer loses.
struct Advice {
  std::string sentence;
  std::string plan;  ///< for a file of `trimtab fit --plan`, or empty
};

/// Layers by what they alone do to the network's outputs, worst first. `accuracy`: that of details.json
/// (docs/report.md).
[[nodiscard]] std::vector<Facts> layers_by_loss(const Facts& accuracy);

/// Advice for one of these layers, the most promising first; none where the layer alone costs next to nothing.
[[nodiscard]] std::vector<Advice> advise(const Facts& layer);

}  // namespace trimtab
