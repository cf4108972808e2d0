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
  std::int64_t steps = 2;  ///< in how many portions channels are removed, each followed by training
  TrainOptions recovery;   ///< epochs: of all portions together, 0: none; see recovery_options
};

/// What is left of a prepared graph when so many units of every group stay (`kept`, by group of
/// find_channel_groups(prepared)): the least important ones go, portion by portion, and in between the rest learns to
/// do without them, with `prepared` as the teacher. Each time the importance is measured anew. Throws Error as `prune`
/// and `train` do.
[[nodiscard]] Graph shrink(const Graph& prepared, const std::vector<std::int64_t>& kept, const Dataset& train_data,
                           const Dataset& test_data, const ShrinkOptions& options);

/// How many units of every group to keep such that about `share` of the weights stays: units leave in the order of
/// importance per weight they bring (over all groups: `importance` by taylor), no group below a quarter, each rounded
/// to `multiple`.
[[nodiscard]] std::vector<std::int64_t> allocate_widths(const Graph& prepared, const ChannelGroups& groups,
                                                        const std::vector<double>& importance, double share,
                                                        std::int64_t multiple);

/// The same share of every group, rounded to `multiple`.
[[nodiscard]] std::vector<std::int64_t> uniform_widths(const ChannelGroups& groups, double share,
                                                       std::int64_t multiple);

}  // namespace trimtab
