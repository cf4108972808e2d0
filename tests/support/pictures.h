#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "data/dataset.h"

namespace trimtab {

/// Smooth random pictures of ten classes: noise alone would leave every activation near zero.
inline Dataset random_pictures(const Shape& shape, std::int64_t count) {
  Random random(3);
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = shape;
  data.classes.assign(10, "class");
  for (std::int64_t i = 0; i < count; ++i) {
    data.labels.push_back(i % 10);
    for (std::int64_t c = 0; c < shape[0]; ++c) {
      const double row_slope = random.uniform(-4, 4);
      const double column_slope = random.uniform(-4, 4);
      for (std::int64_t y = 0; y < shape[1]; ++y) {
        for (std::int64_t x = 0; x < shape[2]; ++x) {
          const double value = 128 + row_slope * static_cast<double>(y - shape[1] / 2) +
                               column_slope * static_cast<double>(x - shape[2] / 2) + 20 * random.normal();
          values.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
        }
      }
    }
  }
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

}  // namespace trimtab
