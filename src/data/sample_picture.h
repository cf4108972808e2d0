#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "data/pictures.h"

namespace trimtab {

/// Whether the samples are pictures of one or three channels.
[[nodiscard]] bool is_drawable(const Dataset& data);

/// A sample in red, green and blue. Features are stretched from the sample's least to its greatest value. Needs
/// is_drawable().
[[nodiscard]] Picture sample_picture(const Dataset& data, std::int64_t index);

}  // namespace trimtab
