#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/index.h"
#include "data/samples.h"
#include "graph/graph.h"

namespace trimtab {

/// The function that turns stored samples into the network's inputs: x = (raw - mean[c]) / deviation[c] per channel
/// (identity). For pixels it is folded into the first layer of a deployed program, which therefore takes raw pixels.
/// Features are preprocessed before they are quantized to the grid of the program's input.
struct Preprocessing {
  std::vector<float> mean;       ///< per channel, or empty (0)
  std::vector<float> deviation;  ///< per channel, or empty (1)

  [[nodiscard]] float mean_of(std::int64_t channel) const { return mean.empty() ? 0.0F : nth(mean, channel); }
  [[nodiscard]] float deviation_of(std::int64_t channel) const {
    return deviation.empty() ? 1.0F : nth(deviation, channel);
  }
};

/// Samples held in memory, raw as the sensor gives them: 8-bit pixels or float features, each sample in C order
/// {C, H, W}. Exactly one of `pixels` and `features` is filled. Copies and parts of a data set share its samples.
///
/// The right answers are classes, numbers, or classes of pixels, as far as they are known. A file of one-hot rows or of
/// whole numbers can be read both ways: then `labels` and `targets` are filled, and the task decides (measure/task.h).
struct Dataset {
  Shape shape;                       ///< of one sample, channels first
  Samples<std::uint8_t> pixels;      ///< images, 0..255
  Samples<float> features;           ///< anything else
  std::vector<std::int64_t> labels;  ///< the class of every sample, 0 .. classes-1; empty: not known
  std::vector<std::string> classes;  ///< names; as many as there are classes
  Samples<float> targets;            ///< the numbers that are right, of `target_shape`; empty: not known
  Samples<std::int32_t> class_maps;  ///< the class of every pixel, {height, width}; -1: none; empty: not known
  Shape target_shape;                ///< of one sample of `targets` or `class_maps`, channels first
  std::vector<std::int64_t> groups;  ///< the recording that every sample is a part of; empty: each is one of its own

  [[nodiscard]] std::int64_t size() const { return is_pixels() ? pixels.size() : features.size(); }
  [[nodiscard]] bool has_answers() const { return !labels.empty() || !targets.empty() || !class_maps.empty(); }
  [[nodiscard]] bool is_pixels() const { return !pixels.empty(); }
  /// Writes sample `index`, preprocessed, into `out` (element_count(shape) floats, channels first).
  void read(std::int64_t index, const Preprocessing& preprocessing, std::span<float> out) const;
  /// The samples with these indices, in their order; they share the values.
  [[nodiscard]] Dataset pick(std::span<const std::int64_t> indices) const;
  /// The samples in [first, first + count).
  [[nodiscard]] Dataset slice(std::int64_t first, std::int64_t count) const;
  /// `count` samples, chosen evenly over the classes (or at random, where there are none) with this seed.
  [[nodiscard]] Dataset sample(std::int64_t count, std::uint64_t seed) const;
  /// Every other sample of each class, and the rest. Samples of one recording stay together.
  [[nodiscard]] std::pair<Dataset, Dataset> halves() const;
};

/// The part of a data set. Sources that have both parts (cifar10, images, synthetic) give the requested one.
enum class Split { train, test };

/// Options that turn files into samples.
struct DataOptions {
  /// Shape of the network's input. Pictures are resized (shorter side) and centre-cropped to it. Empty: as stored.
  Shape shape{};
  /// Where the network has several inputs: which. Each is an array of its own; a sample is one behind the other.
  std::vector<JoinedPart> parts{};
  std::int64_t resize = 0;  ///< images: shorter side before the crop; 0: the crop's own size
  std::int64_t limit = 0;   ///< at most so many samples, spread evenly over classes and source; 0: all
  std::uint64_t seed = 1;
  std::int64_t label_offset = 0;  ///< added to every label: 1 for networks whose output 0 is a "background" class
};

/// Loads `cifar10:DIR_OR_FILE.bin`, `images:DIR`, `npy:X.npy[,Y.npy]`, `npz:FILE.npz` or `synthetic:shapes[:COUNT]`;
/// the formats are in docs/data.md. Throws Error (bad input), naming the file, for missing or wrong-sized files, no
/// samples, labels out of range.
[[nodiscard]] Dataset load_dataset(const std::string& description, Split split, const DataOptions& options);

/// Throws Error (bad input) unless there are samples of the shape of the network's input.
void check_fits(const Dataset& data, const Shape& input);

/// The same data set without its right answers.
[[nodiscard]] Dataset without_answers(Dataset data);

/// Preprocessing from the command line's words: "none", "unit" (x/255), "imagenet" (x/255 less mean .485 .456 .406 over
/// .229 .224 .225), "mobilenet" ((x-128)/128), "cifar10" (per-channel mean and deviation of its training set), or a
/// TOML file with mean and deviation.
[[nodiscard]] Preprocessing parse_preprocessing(const std::string& description, std::int64_t channels);

/// Float features after their preprocessing. Pixels stay as they are, since the network absorbs their preprocessing.
[[nodiscard]] Dataset preprocess_features(Dataset data, const Preprocessing& preprocessing);

}  // namespace trimtab
