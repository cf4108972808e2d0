#include "data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "base/random.h"
#include "data/sources.h"

namespace trimtab {

namespace {

Shape without_ones(Shape shape) {
  std::erase(shape, 1);
  return shape;
}

/// Indices of all samples, class by class. Where samples are taken from it at regular steps, every class gives its
/// part, in whatever order the source has them.
std::vector<std::int64_t> in_class_order(const Dataset& data) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(data.size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (data.labels.empty()) return order;
  const auto label = [&](std::int64_t sample) { return nth(data.labels, sample); };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return label(a) < label(b); });
  return order;
}

std::int64_t parse_count(std::string_view text, const std::string& description) {
  constexpr std::int64_t largest = 1'000'000;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count < 1 || count > largest) {
    throw bad_input("the data set '{}' asks for '{}' samples; a number from 1 to {} is needed", description, text,
                    largest);
  }
  return count;
}

Dataset load_synthetic(const std::string& rest, const std::string& description, Split split,
                       const DataOptions& options) {
  const std::size_t colon = rest.find(':');
  if (rest.substr(0, colon) != "shapes") {
    throw bad_input("there is no built-in data set '{}'; 'synthetic:shapes' is one", description);
  }
  std::int64_t count = split == Split::train ? 12'000 : 2'000;
  if (colon != std::string::npos) count = parse_count(std::string_view(rest).substr(colon + 1), description);
  if (options.limit > 0) count = std::min(count, options.limit);
  return generate_shapes(count, split, options.seed);
}

Dataset load_source(const std::string& description, Split split, const DataOptions& options) {
  const std::size_t colon = description.find(':');
  const std::string kind = description.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : description.substr(colon + 1);
  const bool known = kind == "cifar10" || kind == "images" || kind == "npy" || kind == "npz" || kind == "synthetic";
  if (!known || rest.empty()) {
    throw bad_input(
        "there is no data set '{}'; give cifar10:FOLDER_OR_FILE, images:FOLDER, npy:X.npy,Y.npy, npz:FILE.npz or "
        "synthetic:shapes",
        description);
  }
  if (!options.parts.empty() && kind != "npy" && kind != "npz") {
    throw bad_input("the network has {} inputs; the data set '{}' has one: give npy: with {} files, or npz:",
                    options.parts.size(), description, options.parts.size());
  }
  if (kind == "cifar10") return load_cifar10(rest, split);
  if (kind == "images") return load_images(rest, split, options);
  if (kind == "npy") return load_npy_files(rest, options.parts);
  if (kind == "npz") return load_npz_file(rest, split, options.parts);
  return load_synthetic(rest, description, split, options);
}

/// The numbers with these indices, or none of none.
std::vector<std::int64_t> picked_of(const std::vector<std::int64_t>& numbers, std::span<const std::int64_t> indices) {
  std::vector<std::int64_t> picked;
  if (numbers.empty()) return picked;
  picked.reserve(indices.size());
  for (const std::int64_t index : indices) picked.push_back(nth(numbers, index));
  return picked;
}

/// {height, width, channels} to {channels, height, width}, every sample.
template <typename T>
Samples<T> channels_first(const Samples<T>& samples, const Shape& last) {
  const std::int64_t pixels = last[0] * last[1];
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(samples.size() * samples.sample_size()));
  for (std::int64_t i = 0; i < samples.size(); ++i) {
    for (std::int64_t c = 0; c < last[2]; ++c) {
      for (std::int64_t p = 0; p < pixels; ++p) values.push_back(nth(samples[i], p * last[2] + c));
    }
  }
  return {std::move(values), samples.sample_size()};
}

Dataset load(const std::string& description, Split split, const DataOptions& options) {
  try {
    return load_source(description, split, options);
  } catch (const std::filesystem::filesystem_error& error) {
    throw bad_input("{} cannot be read: {}", error.path1().string(), error.code().message());
  }
}

}  // namespace

void Dataset::read(std::int64_t index, const Preprocessing& preprocessing, std::span<float> out) const {
  if (is_pixels()) {
    std::ranges::copy(pixels[index], out.begin());
  } else {
    std::ranges::copy(features[index], out.begin());
  }
  const auto channels = shape.empty() ? std::int64_t{1} : shape[0];
  const auto channel_size = out.size() / static_cast<std::size_t>(channels);
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const float mean = preprocessing.mean_of(channel);
    const float deviation = preprocessing.deviation_of(channel);
    const std::size_t begin = static_cast<std::size_t>(channel) * channel_size;
    for (std::size_t i = begin; i < begin + channel_size; ++i) {
      out[i] = (out[i] - mean) / deviation;
    }
  }
}

Dataset Dataset::pick(std::span<const std::int64_t> indices) const {
  Dataset picked;
  picked.shape = shape;
  picked.classes = classes;
  picked.pixels = pixels.pick(indices);
  picked.features = features.pick(indices);
  picked.labels = picked_of(labels, indices);
  picked.targets = targets.pick(indices);
  picked.class_maps = class_maps.pick(indices);
  picked.target_shape = target_shape;
  picked.groups = picked_of(groups, indices);
  return picked;
}

Dataset Dataset::slice(std::int64_t first, std::int64_t count) const {
  if (first < 0 || count < 0 || first > size() || count > size() - first) {
    throw bad_input("{} samples from number {} on are asked for; the data set has {}", count, first, size());
  }
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), first);
  return pick(indices);
}

Dataset Dataset::sample(std::int64_t count, std::uint64_t seed) const {
  if (count < 1) throw bad_input("{} samples are asked for; at least 1 is needed", count);
  std::vector<std::vector<std::int64_t>> by_class(labels.empty() ? 1 : classes.size());
  for (std::int64_t i = 0; i < size(); ++i) {
    nth(by_class, labels.empty() ? 0 : nth(labels, i)).push_back(i);
  }
  std::erase_if(by_class, [](const auto& members) { return members.empty(); });
  Random random(seed);
  for (auto& members : by_class) random.shuffle(members);
  random.shuffle(by_class);
  // Round after round one of each class, so that every prefix of the result is even, too.
  std::vector<std::int64_t> chosen;
  const std::int64_t wanted = std::min(count, size());
  for (std::size_t round = 0; static_cast<std::int64_t>(chosen.size()) < wanted; ++round) {
    for (const auto& members : by_class) {
      if (round < members.size() && static_cast<std::int64_t>(chosen.size()) < wanted) chosen.push_back(members[round]);
    }
  }
  return pick(chosen);
}

std::pair<Dataset, Dataset> Dataset::halves() const {
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> second;
  std::map<std::int64_t, bool> is_first;  // by recording
  bool next_is_first = true;
  for (const std::int64_t sample : in_class_order(*this)) {
    const std::int64_t recording = groups.empty() ? sample : nth(groups, sample);
    const auto [known, is_new] = is_first.emplace(recording, next_is_first);
    if (is_new) next_is_first = !next_is_first;
    (known->second ? first : second).push_back(sample);
  }
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  return {pick(first), pick(second)};
}

void check_fits(const Dataset& data, const Shape& input) {
  if (data.size() == 0) throw bad_input("the data set has no samples");
  if (data.shape != input) {
    throw bad_input("the samples have the shape {}; the network takes {}", to_string(data.shape), to_string(input));
  }
}

void fit_shape(Dataset& data, const Shape& wanted, const std::string& source) {
  if (wanted.empty() || data.shape == wanted) return;
  if (wanted.size() == 3 && data.shape == Shape{wanted[1], wanted[2], wanted[0]}) {
    data.pixels = channels_first(data.pixels, data.shape);
    data.features = channels_first(data.features, data.shape);
  } else if (without_ones(data.shape) != without_ones(wanted)) {
    throw bad_input("{} has samples of shape {}; the network takes {}", source, to_string(data.shape),
                    to_string(wanted));
  }
  data.shape = wanted;
}

Dataset without_answers(Dataset data) {
  data.labels.clear();
  data.classes.clear();
  data.targets = {};
  data.class_maps = {};
  data.target_shape.clear();
  data.groups.clear();
  return data;
}

Dataset load_dataset(const std::string& description, Split split, const DataOptions& options) {
  if (options.limit < 0) throw bad_input("the limit of {} samples is negative", options.limit);
  Dataset data = load(description, split, options);
  if (options.limit > 0 && options.limit < data.size()) {
    std::vector<std::int64_t> chosen;
    const std::vector<std::int64_t> order = in_class_order(data);
    for (const std::int64_t i : spread(data.size(), options.limit)) chosen.push_back(nth(order, i));
    std::sort(chosen.begin(), chosen.end());
    data = data.pick(chosen);
    data.pixels = data.pixels.separate();
    data.features = data.features.separate();
    data.targets = data.targets.separate();
    data.class_maps = data.class_maps.separate();
  }
  fit_shape(data, options.shape, fmt::format("the data set '{}'", description));
  if (options.label_offset != 0 && !data.labels.empty()) {
    for (std::int64_t& label : data.labels) label += options.label_offset;
    std::vector<std::string> names;
    if (options.label_offset > 0) {
      names.assign(static_cast<std::size_t>(std::min<std::int64_t>(options.label_offset, 100'000)), "background");
      names.insert(names.end(), data.classes.begin(), data.classes.end());
    }
    data.classes.clear();
    name_classes(data, std::move(names), fmt::format("{} with the label offset {}", description, options.label_offset));
  }
  return data;
}

std::vector<std::int64_t> spread(std::int64_t total, std::int64_t limit) {
  const std::int64_t count = limit > 0 ? std::min(limit, total) : total;
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) nth(indices, i) = i * total / count;
  return indices;
}

std::vector<std::string> read_class_names(const std::filesystem::path& path) {
  std::vector<std::string> names;
  if (!std::filesystem::exists(path)) return names;
  const std::string text = read_text(path, 16 << 20);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(std::move(line));
    begin = end + 1;
  }
  return names;
}

void name_classes(Dataset& data, std::vector<std::string> names, const std::string& where) {
  constexpr std::int64_t largest = 100'000;
  auto count = static_cast<std::int64_t>(names.size());
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    const std::int64_t label = data.labels[i];
    if (label < 0 || label >= largest) {
      throw bad_input("{}: sample {} has the label {}; labels from 0 to {} are possible", where, i, label, largest - 1);
    }
    count = std::max(count, label + 1);
  }
  for (auto i = static_cast<std::int64_t>(names.size()); i < count; ++i) names.push_back(std::to_string(i));
  data.classes = std::move(names);
}

Dataset preprocess_features(Dataset data, const Preprocessing& preprocessing) {
  if (data.is_pixels()) return data;
  const std::int64_t size = element_count(data.shape);
  std::vector<float> processed(static_cast<std::size_t>(data.size() * size));
  for (std::int64_t i = 0; i < data.size(); ++i) {
    data.read(i, preprocessing,
              std::span(processed).subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(size)));
  }
  data.features = {std::move(processed), size};
  return data;
}

}  // namespace trimtab
