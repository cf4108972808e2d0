#include "data/sample_picture.h"

#include <algorithm>

#include "base/index.h"

namespace trimtab {

bool is_drawable(const Dataset& data) {
  return data.size() > 0 && data.shape.size() == 3 && (data.shape[0] == 1 || data.shape[0] == 3) &&
         data.shape[1] <= 1024 && data.shape[2] <= 1024;
}

Picture sample_picture(const Dataset& data, std::int64_t index) {
  std::vector<float> sample(static_cast<std::size_t>(element_count(data.shape)));
  data.read(index, {}, sample);
  float low = 0;
  float high = 255;
  if (!data.is_pixels()) {
    const auto [least, greatest] = std::minmax_element(sample.begin(), sample.end());
    low = *least;
    high = std::max(*greatest, low + 1e-6F);
  }
  Picture picture{data.shape[1], data.shape[2], 3, {}};
  const std::int64_t area = picture.rows * picture.columns;
  for (std::int64_t pixel = 0; pixel < area; ++pixel) {
    for (std::int64_t c = 0; c < 3; ++c) {
      const std::int64_t channel = data.shape[0] == 3 ? c : 0;
      const float value = 255 * (nth(sample, channel * area + pixel) - low) / (high - low);
      picture.pixels.push_back(static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)));
    }
  }
  return picture;
}

}  // namespace trimtab
