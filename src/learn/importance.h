#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "measure/task.h"
#include "plan/channel_groups.h"

namespace trimtab {

/// Measures of the loss that removing a channel costs.
enum class ImportanceMeasure {
  taylor,      ///< first order Taylor expansion of the loss in a gate on the channel (Molchanov et al., CVPR 2019)
  batch_norm,  ///< magnitude of the BatchNormalization's scale (Liu et al., ICCV 2017); l1 where there is none
  l1           ///< mean magnitude of the filter's weights (Li et al., ICLR 2017)
};

/// "taylor", "batch-norm" or "l1". Throws Error (bad input) for another word.
[[nodiscard]] ImportanceMeasure parse_importance(const std::string& word);

struct ImportanceOptions {
  ImportanceMeasure measure = ImportanceMeasure::taylor;
  std::int64_t samples = 1024;  ///< of the data, spread evenly over the classes (taylor only)
  std::optional<Task> task{};   ///< whose loss it is; nothing: see choose_task()
  int threads = 0;
};

/// The importance of every unit (ChannelGroups::units) of a prepared graph, summed over the filters that make it. Units
/// of one group compare with each other. Units of different groups compare with `taylor` only. There the importance is
/// the squared change of the loss, averaged over the samples. `data` is raw and labelled.
[[nodiscard]] std::vector<double> unit_importance(const Graph& prepared, const ChannelGroups& groups,
                                                  const Dataset& data, const ImportanceOptions& options);

}  // namespace trimtab
