#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "data/npy.h"
#include "data/sources.h"

namespace trimtab {

namespace {

constexpr std::int64_t most_classes = 100'000;
/// The class of a pixel that belongs to none, as PASCAL VOC and Cityscapes store it.
constexpr std::int64_t void_class = 255;

/// An array with the name that messages give it.
struct NamedArray {
  NpyArray array;
  std::string name;
};

/// The arrays that a data set is made of.
struct Arrays {
  std::vector<NamedArray> samples;  ///< of several inputs one each
  std::optional<NamedArray> answers;
  std::optional<NamedArray> groups;
  std::filesystem::path class_names;
};

/// Shape of one sample: F, 1 x H x W or C x H x W.
Shape sample_shape(const Shape& shape, const std::string& name) {
  if (shape.size() == 2) return {shape[1]};
  if (shape.size() == 3) return {1, shape[1], shape[2]};
  if (shape.size() == 4) return {shape[1], shape[2], shape[3]};
  throw bad_input(
      "{} has {} dimensions; samples x features, samples x height x width or samples x channels x height x "
      "width are needed",
      name, shape.size());
}

std::vector<float> as_floats(NpyArray array) {
  return std::visit(
      [](auto& elements) -> std::vector<float> {
        using T = typename std::decay_t<decltype(elements)>::value_type;
        if constexpr (std::is_same_v<T, float>) return std::move(elements);
        std::vector<float> floats(elements.size());
        std::ranges::transform(elements, floats.begin(), [](T x) { return static_cast<float>(x); });
        return floats;
      },
      array.data);
}

void check_finite(const Samples<float>& samples, const std::string& name) {
  for (std::int64_t i = 0; i < samples.size(); ++i) {
    if (!std::ranges::all_of(samples[i], [](float x) { return std::isfinite(x); })) {
      throw bad_input("{}: sample {} holds a number that is not finite", name, i);
    }
  }
}

void take_samples(Dataset& data, NamedArray samples) {
  const std::string& name = samples.name;
  data.shape = sample_shape(samples.array.shape, name);
  if (samples.array.shape[0] == 0 || element_count(data.shape) == 0) {
    throw bad_input("{} holds no samples: its shape is {}", name, to_string(samples.array.shape));
  }
  const std::int64_t size = element_count(data.shape);
  if (auto* pixels = std::get_if<std::vector<std::uint8_t>>(&samples.array.data)) {
    data.pixels = {std::move(*pixels), size};
  } else {
    data.features = {as_floats(std::move(samples.array)), size};
  }
  check_finite(data.features, name);
}

/// The samples of several inputs, each channels first, one behind the other: features, whatever the arrays hold.
void take_joined(Dataset& data, std::vector<NamedArray> arrays, const std::vector<JoinedPart>& parts) {
  std::vector<Samples<float>> columns;
  std::int64_t size = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const std::string name = fmt::format("{} (input {})", arrays[p].name, parts[p].name);
    Dataset part;
    arrays[p].name = name;
    take_samples(part, std::move(arrays[p]));
    fit_shape(part, parts[p].shape, name);
    if (p > 0 && part.size() != columns[0].size())
      throw bad_input("{} has {} samples; {} has {}", name, part.size(), parts[0].name, columns[0].size());
    size += element_count(part.shape);
    const std::vector<std::uint8_t> pixels = part.pixels.values();
    columns.push_back(part.is_pixels() ? Samples<float>({pixels.begin(), pixels.end()}, element_count(part.shape))
                                       : part.features);
  }
  std::vector<float> joined;
  joined.reserve(static_cast<std::size_t>(columns[0].size() * size));
  for (std::int64_t i = 0; i < columns[0].size(); ++i) {
    for (const Samples<float>& column : columns) joined.insert(joined.end(), column[i].begin(), column[i].end());
  }
  data.shape = {size};
  data.features = {std::move(joined), size};
}

bool is_integer(const NpyArray& array) {
  return !std::holds_alternative<std::vector<float>>(array.data) &&
         !std::holds_alternative<std::vector<double>>(array.data);
}

std::vector<std::int64_t> as_integers(const NpyArray& array) {
  return std::visit([](const auto& elements) { return std::vector<std::int64_t>(elements.begin(), elements.end()); },
                    array.data);
}

/// Whether every number could be that of a class.
bool are_classes(const Samples<float>& numbers) {
  for (std::int64_t i = 0; i < numbers.size(); ++i) {
    const float x = numbers[i][0];
    if (x < 0 || x >= static_cast<float>(most_classes) || x != std::floor(x)) return false;
  }
  return true;
}

/// Whether every row is 1 in one place and 0 in all others.
bool are_one_hot(const Samples<float>& rows) {
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    const auto row = rows[i];
    if (std::ranges::count(row, 1.0F) != 1 || std::ranges::count(row, 0.0F) != std::ssize(row) - 1) return false;
  }
  return true;
}

/// Classes of pixels, where every sample has height x width integers.
void take_class_maps(Dataset& data, const NpyArray& array, const std::string& name) {
  std::vector<std::int32_t> map;
  std::int64_t classes = 0;
  for (const std::int64_t number : as_integers(array)) {
    const bool none = number == void_class || number == -1;
    if (!none && (number < 0 || number >= most_classes)) {
      throw bad_input("{} has the class {}; 0 to {} are possible, and -1 or {} for none", name, number,
                      most_classes - 1, void_class);
    }
    map.push_back(none ? -1 : static_cast<std::int32_t>(number));
    classes = std::max(classes, none ? 0 : number + 1);
  }
  data.class_maps = {std::move(map), element_count(data.target_shape)};
  for (std::int64_t c = 0; c < classes; ++c) data.classes.push_back(std::to_string(c));
}

void take_answers(Dataset& data, NamedArray answers, const std::filesystem::path& class_names) {
  const std::string& name = answers.name;
  const Shape& shape = answers.array.shape;
  const std::int64_t rows = shape.empty() ? 0 : shape[0];
  if (rows != data.size()) {
    throw bad_input("{} has {} labels; there are {} samples", name, rows, data.size());
  }
  data.target_shape.assign(shape.begin() + 1, shape.end());
  if (data.target_shape.empty()) data.target_shape = {1};
  const std::int64_t size = element_count(data.target_shape);
  if (size == 0) throw bad_input("{} holds no labels: its shape is {}", name, to_string(shape));
  const bool integers = is_integer(answers.array);
  if (integers && size == 1) {
    data.labels = as_integers(answers.array);
    name_classes(data, read_class_names(class_names), name);
    return;
  }
  Shape map = data.target_shape;
  std::erase(map, 1);
  if (integers && map.size() == 2) {
    data.target_shape = map;
    take_class_maps(data, answers.array, name);
    return;
  }
  data.targets = {as_floats(std::move(answers.array)), size};
  check_finite(data.targets, name);
  if (size == 1 && are_classes(data.targets)) {
    for (std::int64_t i = 0; i < data.size(); ++i) data.labels.push_back(static_cast<std::int64_t>(data.targets[i][0]));
  } else if (size > 1 && map.size() == 1 && are_one_hot(data.targets)) {
    for (std::int64_t i = 0; i < data.size(); ++i)
      data.labels.push_back(std::ranges::max_element(data.targets[i]) - data.targets[i].begin());
  }
  if (!data.labels.empty()) name_classes(data, read_class_names(class_names), name);
}

void take_groups(Dataset& data, const NamedArray& groups) {
  const bool one_each = is_integer(groups.array) && !groups.array.shape.empty() &&
                        groups.array.shape[0] == data.size() && element_count(groups.array.shape) == data.size();
  if (!one_each) {
    throw bad_input("{} has the shape {}; one integer for each of the {} samples is needed", groups.name,
                    to_string(groups.array.shape), data.size());
  }
  data.groups = as_integers(groups.array);
}

Dataset make_dataset(Arrays arrays, const std::vector<JoinedPart>& parts) {
  Dataset data;
  if (parts.empty()) {
    take_samples(data, std::move(arrays.samples[0]));
  } else {
    take_joined(data, std::move(arrays.samples), parts);
  }
  if (arrays.answers) take_answers(data, *std::move(arrays.answers), arrays.class_names);
  if (arrays.groups) take_groups(data, *arrays.groups);
  return data;
}

/// The array of the file that has the first of these names.
std::optional<NamedArray> find_array(const std::filesystem::path& path, const std::vector<std::string>& names) {
  std::optional<NpyArray> array = read_npz(path, names);
  if (!array) return std::nullopt;
  return NamedArray{*std::move(array), path.string()};
}

}  // namespace

Dataset load_npy_files(const std::string& paths, const std::vector<JoinedPart>& parts) {
  std::vector<std::string> files;
  for (std::size_t begin = 0; begin <= paths.size();) {
    const std::size_t end = std::min(paths.find(',', begin), paths.size());
    files.push_back(paths.substr(begin, end - begin));
    begin = end + 1;
  }
  const std::size_t inputs = std::max<std::size_t>(parts.size(), 1);
  if (files.size() < inputs || files.size() > inputs + 2 || std::ranges::any_of(files, &std::string::empty)) {
    if (inputs == 1) throw bad_input("'npy:{}' must name one to three files, as in npy:X.npy,Y.npy", paths);
    throw bad_input("'npy:{}' must name {} to {} files: one for each input of the network, then answers and groups",
                    paths, inputs, inputs + 2);
  }
  const auto read = [](const std::string& file) { return NamedArray{read_npy(file), file}; };
  Arrays arrays;
  for (std::size_t i = 0; i < inputs; ++i) arrays.samples.push_back(read(files[i]));
  if (files.size() > inputs) {
    arrays.answers = read(files[inputs]);
    arrays.class_names = std::filesystem::path(files[inputs]).parent_path() / "classes.txt";
  }
  if (files.size() > inputs + 1) arrays.groups = read(files[inputs + 1]);
  return make_dataset(std::move(arrays), parts);
}

Dataset load_npz_file(const std::filesystem::path& path, Split split, const std::vector<JoinedPart>& parts) {
  const std::string part = split == Split::train ? "train" : "test";
  Arrays arrays;
  const auto add_samples = [&](const std::vector<std::string>& names, const std::string& wanted) {
    std::optional<NamedArray> found = find_array(path, names);
    if (!found) {
      throw bad_input("{} has the arrays {}; samples are looked for as {}", path.string(),
                      fmt::join(npz_names(path), ", "), wanted);
    }
    arrays.samples.push_back(*std::move(found));
  };
  for (const JoinedPart& input : parts)
    add_samples({input.name + "_" + part, input.name}, fmt::format("{0} or {0}_{1}", input.name, part));
  if (parts.empty()) {
    add_samples({"x_" + part, "X_" + part, part + "_images", "x", "X", "images", "samples", "features", "arr_0"},
                fmt::format("x, X, images, samples, features, x_{0} or {0}_images", part));
  }
  arrays.class_names = path.parent_path() / "classes.txt";
  arrays.answers =
      find_array(path, {"y_" + part, "Y_" + part, part + "_labels", "y", "Y", "labels", "targets", "masks", "arr_1"});
  arrays.groups = find_array(path, {"groups_" + part, "groups"});
  return make_dataset(std::move(arrays), parts);
}

}  // namespace trimtab
