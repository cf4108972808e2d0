#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "data/npy.h"
#include "data/sources.h"

namespace trimtab {

namespace {

/// Shape of one sample: F, 1 x H x W or C x H x W.
Shape sample_shape(const Shape& shape, const std::string& path) {
  if (shape.size() == 2) return {shape[1]};
  if (shape.size() == 3) return {1, shape[1], shape[2]};
  if (shape.size() == 4) return {shape[1], shape[2], shape[3]};
  throw bad_input(
      "{} has {} dimensions; samples x features, samples x height x width or samples x channels x height x "
      "width are needed",
      path, shape.size());
}

void take_samples(Dataset& data, NpyArray array, const std::string& path) {
  data.shape = sample_shape(array.shape, path);
  if (array.shape[0] == 0 || element_count(data.shape) == 0) {
    throw bad_input("{} holds no samples: its shape is {}", path, to_string(array.shape));
  }
  const std::int64_t size = element_count(data.shape);
  std::visit(
      [&](auto& elements) {
        using T = typename std::decay_t<decltype(elements)>::value_type;
        if constexpr (std::is_same_v<T, std::uint8_t>) {
          data.pixels = {std::move(elements), size};
        } else if constexpr (std::is_same_v<T, float>) {
          data.features = {std::move(elements), size};
        } else {
          std::vector<float> features(elements.size());
          std::ranges::transform(elements, features.begin(), [](T x) { return static_cast<float>(x); });
          data.features = {std::move(features), size};
        }
      },
      array.data);
  for (std::int64_t i = 0; i < data.features.size(); ++i) {
    if (!std::ranges::all_of(data.features[i], [](float x) { return std::isfinite(x); })) {
      throw bad_input("{}: sample {} holds a number that is not finite", path, i);
    }
  }
}

void take_labels(Dataset& data, const NpyArray& array, std::int64_t samples, const std::string& path) {
  const bool is_column = array.shape.size() == 1 || (array.shape.size() == 2 && array.shape[1] == 1);
  if (!is_column) throw bad_input("{} has the shape {}; one label per sample is needed", path, to_string(array.shape));
  if (array.shape[0] != samples) {
    throw bad_input("{} has {} labels; there are {} samples", path, array.shape[0], samples);
  }
  std::visit(
      [&](const auto& elements) {
        using T = typename std::decay_t<decltype(elements)>::value_type;
        if constexpr (std::is_integral_v<T>) {
          data.labels.assign(elements.begin(), elements.end());
        } else {
          throw bad_input("{} holds floating-point numbers; labels must be integers", path);
        }
      },
      array.data);
}

}  // namespace

Dataset load_npy_pair(const std::string& paths) {
  const std::size_t comma = paths.rfind(',');
  if (comma == std::string::npos || comma == 0 || comma + 1 == paths.size()) {
    throw bad_input("'npy:{}' must name two files, as in npy:X.npy,Y.npy", paths);
  }
  const std::string samples = paths.substr(0, comma);
  const std::filesystem::path labels = paths.substr(comma + 1);
  Dataset data;
  NpyArray array = read_npy(samples);
  const std::int64_t count = array.shape.empty() ? 0 : array.shape[0];
  take_samples(data, std::move(array), samples);
  take_labels(data, read_npy(labels), count, labels.string());
  name_classes(data, read_class_names(labels.parent_path() / "classes.txt"), labels.string());
  return data;
}

}  // namespace trimtab
