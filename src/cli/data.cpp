#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/index.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/output.h"
#include "data/contact_sheet.h"
#include "data/dataset.h"
#include "data/npy.h"
#include "data/sample_picture.h"

namespace trimtab::cli {
namespace {

struct DescribeOptions {
  CommonOptions common;
  std::string data;
  std::string split = "test";
  std::string shape;
  DataOptions source;
  std::string out;
};

struct ChannelStatistics {
  std::vector<double> mean;
  std::vector<double> deviation;
};

ChannelStatistics measure(const Dataset& data) {
  const auto channels = static_cast<std::size_t>(data.shape[0]);
  std::vector<float> sample(static_cast<std::size_t>(element_count(data.shape)));
  const std::size_t channel_size = sample.size() / channels;
  std::vector<double> sum(channels);
  std::vector<double> squares(channels);
  for (std::int64_t index = 0; index < data.size(); ++index) {
    data.read(index, {}, sample);
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const double x = sample[i];
      sum[i / channel_size] += x;
      squares[i / channel_size] += x * x;
    }
  }
  const double count = static_cast<double>(data.size()) * static_cast<double>(channel_size);
  ChannelStatistics statistics;
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = sum[c] / count;
    statistics.mean.push_back(mean);
    statistics.deviation.push_back(std::sqrt(std::max(0.0, squares[c] / count - mean * mean)));
  }
  return statistics;
}

std::vector<std::int64_t> count_labels(const Dataset& data) {
  std::vector<std::int64_t> counts(data.classes.size());
  for (const std::int64_t label : data.labels) ++nth(counts, label);
  for (std::int64_t i = 0; i < data.class_maps.size(); ++i) {  // pixels
    for (const std::int32_t label : data.class_maps[i]) {
      if (label >= 0) ++nth(counts, label);
    }
  }
  return counts;
}

/// x.npy, y.npy and classes.txt, from which `npy:` makes the same data set again, and a picture of the first samples.
void write_dataset(const Dataset& data, const std::filesystem::path& folder) {
  make_directory(folder);
  Shape shape = data.shape;
  shape.insert(shape.begin(), data.size());
  if (data.is_pixels()) {
    write_npy(folder / "x.npy", shape, data.pixels.values());
  } else {
    write_npy(folder / "x.npy", shape, data.features.values());
  }
  Shape target = data.target_shape;
  target.insert(target.begin(), data.size());
  if (!data.targets.empty()) {
    write_npy(folder / "y.npy", target, data.targets.values());
  } else if (!data.class_maps.empty()) {
    const std::vector<std::int32_t> map = data.class_maps.values();
    write_npy(folder / "y.npy", target, std::vector<std::int64_t>(map.begin(), map.end()));
  } else if (!data.labels.empty()) {
    write_npy(folder / "y.npy", {data.size()}, std::span(data.labels));
  }
  if (!data.classes.empty()) write_file(folder / "classes.txt", fmt::format("{}\n", fmt::join(data.classes, "\n")));
  if (is_drawable(data)) write_contact_sheet(data, folder / "samples.png");
}

/// "10 classes", "2 numbers each", "a class for each of 32x32 pixels", "no labels".
std::string describe_answers(const Dataset& data) {
  if (!data.class_maps.empty()) {
    return fmt::format("one of {} classes for each of {} pixels", data.classes.size(), to_string(data.target_shape));
  }
  if (!data.labels.empty()) return fmt::format("{} classes", data.classes.size());
  if (!data.targets.empty()) return fmt::format("{} numbers each", to_string(data.target_shape));
  return "no labels";
}

void run_data(DescribeOptions& options) {
  if (!options.shape.empty()) options.source.shape = parse_shape(options.shape, "--shape");
  options.source.seed = options.common.seed;
  const Dataset data =
      load_dataset(options.data, options.split == "train" ? Split::train : Split::test, options.source);
  const std::vector<std::int64_t> counts = count_labels(data);
  const ChannelStatistics statistics = measure(data);
  if (!options.out.empty()) write_dataset(data, options.out);

  if (options.common.json) {
    const nlohmann::json json = {{"data", options.data},      {"samples", data.size()},
                                 {"shape", data.shape},       {"kind", data.is_pixels() ? "pixels" : "features"},
                                 {"classes", data.classes},   {"samples_per_class", counts},
                                 {"mean", statistics.mean},   {"deviation", statistics.deviation},
                                 {"version", TRIMTAB_VERSION}};
    print_json(json);
    return;
  }
  print_text("{}: {} samples of {} {}, {}\n", options.data, data.size(), to_string(data.shape),
             data.is_pixels() ? "pixels" : "features", describe_answers(data));
  const std::size_t shown_channels = std::min<std::size_t>(statistics.mean.size(), 16);
  for (std::size_t c = 0; c < shown_channels; ++c) {
    print_text("channel {}: mean {:.3f}, deviation {:.3f}\n", c, statistics.mean[c], statistics.deviation[c]);
  }
  if (shown_channels < statistics.mean.size()) print_text("... ({} channels)\n", statistics.mean.size());
  const std::size_t shown_classes = std::min<std::size_t>(counts.size(), 40);
  for (std::size_t c = 0; c < shown_classes; ++c) print_text("{:>6} x {}\n", counts[c], data.classes[c]);
  if (shown_classes < counts.size()) print_text("... ({} classes)\n", counts.size());
  if (!options.out.empty()) print_text("written to {}\n", options.out);
}

}  // namespace

void add_data(CLI::App& app) {
  auto options = std::make_shared<DescribeOptions>();
  CLI::App* command = app.add_subcommand("data", "describe a data set, or export it as NumPy arrays");
  command
      ->add_option("DATA", options->data,
                   "the data set: cifar10:PATH, images:FOLDER, npy:X.npy[,Y.npy], npz:FILE.npz or "
                   "synthetic:shapes[:COUNT]")
      ->required();
  add_split_option(*command, options->split);
  add_shape_option(*command, options->shape);
  add_resize_option(*command, options->source.resize);
  add_limit_option(*command, options->source.limit);
  add_out_option(*command, options->out);
  add_common_options(*command, options->common, "trimtab data synthetic:shapes --split train -o shapes/");
  command->callback([options] { run_data(*options); });
}

}  // namespace trimtab::cli
