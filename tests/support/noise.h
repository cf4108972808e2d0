#pragma once

#include <cstdint>

#include "base/random.h"
#include "data/dataset.h"

namespace trimtab {

/// Samples of ten classes that are nothing but noise: enough to choose grids by and to compare outputs on.
inline Dataset noise(const Shape& shape, std::int64_t count) {
  Random random(11);
  Dataset data;
  data.shape = shape;
  data.classes.assign(10, "class");
  for (std::int64_t i = 0; i < count; ++i) data.labels.push_back(i % 10);
  for (std::int64_t i = 0; i < count * element_count(shape); ++i) {
    data.pixels.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
  }
  return data;
}

}  // namespace trimtab
