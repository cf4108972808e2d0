#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/toml_file.h"
#include "data/dataset.h"

namespace trimtab {

namespace {

std::vector<float> same(std::int64_t channels, float value) {
  return std::vector<float>(static_cast<std::size_t>(channels), value);
}

Preprocessing of_colours(const std::string& name, std::int64_t channels, std::vector<float> mean,
                         std::vector<float> deviation) {
  if (channels != 3) {
    throw bad_input("the preprocessing '{}' is for 3 channels (RGB); these samples have {}", name, channels);
  }
  return {std::move(mean), std::move(deviation)};
}

/// Key `name` of the file: one number for all channels or an array with one per channel; empty where it is absent.
std::vector<float> read_numbers(const toml::table& table, const std::string& name, std::int64_t channels,
                                const std::string& path) {
  const toml::node* node = table.get(name);
  if (node == nullptr) return {};
  if (const auto number = node->value<double>()) return same(channels, static_cast<float>(*number));
  std::vector<float> numbers;
  if (const toml::array* array = node->as_array()) {
    for (const toml::node& element : *array) {
      const auto number = element.value<double>();
      if (!number) throw bad_input("{}: '{}' must hold numbers only", path, name);
      numbers.push_back(static_cast<float>(*number));
    }
  }
  if (static_cast<std::int64_t>(numbers.size()) != channels) {
    throw bad_input("{}: '{}' must be one number or an array of {}, one per channel", path, name, channels);
  }
  return numbers;
}

Preprocessing read_preprocessing(const std::string& path, std::int64_t channels) {
  const toml::table table = read_toml(path);
  for (const auto& [key, value] : table) {
    if (key.str() != "mean" && key.str() != "deviation") {
      throw bad_input("{}: unknown key '{}'; a preprocessing file has 'mean' and 'deviation'", path, key.str());
    }
  }
  Preprocessing result{read_numbers(table, "mean", channels, path), read_numbers(table, "deviation", channels, path)};
  for (const float x : result.mean) {
    if (!std::isfinite(x)) throw bad_input("{}: 'mean' must be finite", path);
  }
  for (const float x : result.deviation) {
    if (!std::isfinite(x) || !(x > 0)) throw bad_input("{}: 'deviation' must be finite and greater than 0", path);
  }
  return result;
}

}  // namespace

Preprocessing parse_preprocessing(const std::string& description, std::int64_t channels) {
  if (description.empty() || description == "none") return {};
  if (description == "unit") return {{}, same(channels, 255)};
  if (description == "mobilenet") return {same(channels, 128), same(channels, 128)};
  if (description == "imagenet") {
    return of_colours(description, channels, {0.485F * 255, 0.456F * 255, 0.406F * 255},
                      {0.229F * 255, 0.224F * 255, 0.225F * 255});
  }
  // Mean and deviation of the 50,000 training images, as `trimtab data cifar10:...` prints them.
  if (description == "cifar10") {
    return of_colours(description, channels, {125.307F, 122.950F, 113.865F}, {62.993F, 62.089F, 66.705F});
  }
  if (std::filesystem::exists(description)) return read_preprocessing(description, channels);
  throw bad_input(
      "there is no preprocessing '{}'; give none, unit, imagenet, mobilenet, cifar10 or a TOML file with mean and "
      "deviation",
      description);
}

}  // namespace trimtab
