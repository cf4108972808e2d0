#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "learn/importance.h"
#include "learn/train.h"

namespace trimtab {

struct ShrinkOptions {
  ImportanceOptions importance;
  std::int64_t steps = 2;  ///< portions in which channels are removed, each followed by training
  TrainOptions recovery;   ///< epochs: of all portions together, 0: none; see recovery_options
};

/// Removes the least important units of a prepared graph, portion by portion, until so many of every group stay
/// (`kept`, by group of find_channel_groups(prepared)). After each portion the rest learns to do without them, with
/// `prepared` as the teacher. Each time the importance is measured anew. Throws Error as `prune` and `train` do.
[[nodiscard]] Graph shrink(const Graph& prepared, const std::vector<std::int64_t>& kept, const Dataset& train_data,
                           const Dataset& test_data, const ShrinkOptions& options);

/// The number of units of every group with which about `share` of the weights stays. Units leave in the order of their
/// importance per weight, over all groups (`importance` by taylor). No group falls below a quarter. Each number is
/// rounded to `multiple`.
[[nodiscard]] std::vector<std::int64_t> allocate_widths(const Graph& prepared, const ChannelGroups& groups,
                                                        const std::vector<double>& importance, double share,
                                                        std::int64_t multiple);

/// The same share of every group, rounded to `multiple`.
[[nodiscard]] std::vector<std::int64_t> uniform_widths(const ChannelGroups& groups, double share,
                                                       std::int64_t multiple);

}  // namespace trimtab
