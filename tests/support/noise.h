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
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * element_count(shape)));
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.integer(0, 255));
  data.pixels = {std::move(pixels), element_count(shape)};
  return data;
}

}  // namespace trimtab
