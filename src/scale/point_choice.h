#pragma once

#include <cstddef>
#include <optional>

#include "scale/scale.h"

namespace trimtab {

/// The point to run where answers at `level` may lose so much (measure_lost): the cheapest that loses no more on the
/// tuning samples; index into `points`, the first where none does. Losses over few samples are noisy, and the cheapest
/// of many points would be one that was lucky: so they are smoothed first, by the losses nearest to them (least
/// squares) that never fall as energy does (isotonic regression: pool adjacent violators). Uniform points do not count.
[[nodiscard]] std::size_t choose_point(const ScaleResult& result, std::size_t level, double most_lost);

/// The other way round: of the points that save at least so much energy the one that loses least on the tuning samples;
/// nothing where none saves so much.
[[nodiscard]] std::optional<std::size_t> choose_saving_point(const ScaleResult& result, std::size_t level,
                                                             double least_saved_percent);

}  // namespace trimtab
