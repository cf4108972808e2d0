#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_data.h"
#include "data/dataset.h"
#include "data/taxonomy.h"
#include "data/wordnet.h"
#include "emit/scalable_deploy.h"
#include "emit/source.h"
#include "import/onnx.h"
#include "scale/result.h"
#include "scale/scale.h"

namespace trimtab::cli {
namespace {

namespace fs = std::filesystem;

struct ScaleCommand {
  CommonOptions common;
  std::string model;
  std::string data;
  std::string tune_data;
  std::string train_data;
  std::string taxonomy;
  std::vector<std::int64_t> sizes{500, 120, 30, 15, 2};
  std::string preprocessing;
  std::string target = "bitblade";
  std::string weight_memory;
  std::string activation_memory;
  std::string rounding;
  std::string device;
  std::int64_t verify = 4;
  std::int64_t epochs = 0;
  std::int64_t train_limit = 0;
  std::int64_t tune_limit = 0;
  std::vector<std::string> uniform;
  std::string train_precision;
  std::string out;
  DataOptions source;
  ScaleOptions options;
};

/// Levels for the network's outputs, in their order; one output more than there are classes is a background class.
Taxonomy read_levels(const ScaleCommand& command, std::int64_t outputs, const std::vector<std::string>& classes) {
  if (command.taxonomy.empty()) {
    Taxonomy leaves{{{"classes", {}, {}}}};
    for (std::int64_t i = 0; i < outputs; ++i) {
      leaves.levels[0].classes.push_back(std::to_string(i));
      leaves.levels[0].class_of.push_back(i);
    }
    return leaves;
  }
  const std::string ending = fs::path(command.taxonomy).extension().string();
  Taxonomy taxonomy = ending == ".toml" || ending == ".csv"
                          ? read_taxonomy(command.taxonomy)
                          : cut(read_wordnet(wordnet_nouns, read_wnids(command.taxonomy)), command.sizes);
  if (outputs == taxonomy.leaves() + 1) {
    std::vector<std::string> names{"background"};
    names.insert(names.end(), taxonomy.levels[0].classes.begin(), taxonomy.levels[0].classes.end());
    return arrange(taxonomy, names);
  }
  const bool named = static_cast<std::int64_t>(classes.size()) == outputs;
  return named ? arrange(taxonomy, classes) : taxonomy;
}

/// Without data of their own to tune with, every other sample is held back.
std::pair<Dataset, Dataset> tune_and_test(const ScaleCommand& command) {
  Dataset test = load_dataset(command.data, Split::test, command.source);
  if (!command.tune_data.empty()) {
    DataOptions source = command.source;
    if (command.tune_limit > 0) source.limit = command.tune_limit;
    return {load_dataset(command.tune_data, Split::train, source), test};
  }
  std::vector<std::int64_t> even;
  std::vector<std::int64_t> odd;
  for (std::int64_t i = 0; i < test.size(); ++i) (i % 2 == 0 ? even : odd).push_back(i);
  return {test.pick(even), test.pick(odd)};
}

/// "6x4": 6 bits of weights, 4 of activations.
Precision parse_precision(const std::string& text) {
  const auto is_width = [](char c) { return c >= '2' && c <= '8'; };
  if (text.size() != 3 || text[1] != 'x' || !is_width(text[0]) || !is_width(text[2])) {
    throw bad_input("'{}' is no precision; give bits of weights and of activations, 2 to 8 each, such as 6x4", text);
  }
  return {text[0] - '0', text[2] - '0'};
}

void run_scale(ScaleCommand& command) {
  const auto start = std::chrono::steady_clock::now();
  ScaleOptions& options = command.options;
  options.table = load_energy_table(command.target, command.weight_memory, command.activation_memory);
  options.threads = options.calibration.threads = command.common.threads;
  options.search.seed = command.common.seed;
  for (const std::string& text : command.uniform) options.uniform.push_back(parse_precision(text));
  if (!command.train_precision.empty()) options.training.only = parse_precision(command.train_precision);
  const Graph graph = read_onnx(command.model);
  command.source.shape = graph.input_shape();
  command.source.seed = command.common.seed;
  const Preprocessing preprocessing =
      choose_preprocessing(command.preprocessing, command.model, graph.input_shape()[0]);
  const auto [tune, test] = tune_and_test(command);
  const Taxonomy taxonomy = read_levels(command, element_count(graph.output_shape()), test.classes);
  Dataset train;
  options.train = command.epochs > 0;
  options.learned_rounding = command.rounding != "nearest";
  if (options.train) {
    if (!command.rounding.empty()) {
      throw bad_input("--rounding is for networks as they are; with --epochs the digits are those that training finds");
    }
    if (command.train_data.empty()) throw bad_input("--epochs needs --train-data to train with");
    DataOptions source = command.source;
    source.limit = command.train_limit;
    train = load_dataset(command.train_data, Split::train, source);
    options.training.training.epochs = command.epochs;
    options.training.training.seed = command.common.seed;
    options.training.training.threads = options.training.calibration.threads = command.common.threads;
    options.training.directory = fs::path(command.out) / "training";
  }
  if (!command.common.json) {
    options.report = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
    if (isatty(STDERR_FILENO) != 0) {
      options.search.progress = [](std::int64_t done, const std::string& what) {
        fmt::print(stderr, "\r{} measurements, {}   ", done, what);
      };
    }
  }
  std::vector<Target> devices;
  if (!command.device.empty()) devices.push_back(load_target(command.device));

  const ScaleResult result = scale(graph, taxonomy, train, tune, test, preprocessing, options);

  const fs::path out = command.out;
  make_directory(out);
  std::vector<ScalableDeployment> deployments;
  for (const Target& device : devices) {
    std::vector<runtime::PointSummary> summaries;
    for (std::size_t k = 0; k < result.points.size(); ++k) {
      const ScalePoint& point = result.points[k];
      for (std::size_t l = 0; l < result.levels.size(); ++l) {
        summaries.push_back({static_cast<std::int32_t>(k), static_cast<std::int32_t>(l),
                             static_cast<std::int32_t>(std::lround(100 * point.measured[l].test.top1)),
                             static_cast<std::int32_t>(std::min(2e9, std::round(point.energy.total())))});
      }
    }
    deployments.push_back(deploy_scalable(result.program, device, summaries,
                                          to_identifier(fs::path(command.model).stem().string()),
                                          test.slice(0, std::min(command.verify, test.size())), out / "device"));
    if (deployments.back().mismatches != 0) {
      throw failure("the device differs from this machine in {} numbers", deployments.back().mismatches);
    }
  }
  draw_levels(result, out / "levels.svg");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const ScaleRun run{command.model, command.data, options.table, command.epochs, command.device, command.common.seed};
  const std::string json = result_json(run, result, deployments, seconds).dump(2);
  write_file(out / "result.json", json);
  if (command.common.json) {
    fmt::print("{}\n", json);
    return;
  }
  fmt::print("{}", summary(result));
  for (const ScalableDeployment& d : deployments) {
    fmt::print(
        "{} in the emulator: {} samples at {} points, {} differing numbers; a point takes {} bytes, a switch {} "
        "instructions\n",
        command.device, d.samples, d.instructions.size(), d.mismatches, d.point_bytes, d.switch_instructions);
  }
  fmt::print("written to {}\n", command.out);
}

}  // namespace

void add_scale(CLI::App& app) {
  auto command = std::make_shared<ScaleCommand>();
  CLI::App* sub =
      app.add_subcommand("scale", "find operating points of one weight set, by level of abstraction and energy");
  sub->add_option("MODEL", command->model, "ONNX file of the trained network")->required()->check(CLI::ExistingFile);
  sub->add_option("--data", command->data, "samples to measure with; without --tune-data every other one tunes")
      ->required();
  sub->add_option("--tune-data", command->tune_data, "samples to calibrate and to search with");
  sub->add_option("--tune-limit", command->tune_limit, "at most so many samples to tune with; 0: --limit");
  sub->add_option("--taxonomy", command->taxonomy,
                  "levels of abstraction: .toml, .csv, or a list of ImageNet's wnids; default: the classes only");
  sub->add_option("--level-sizes", command->sizes, "most classes of the levels made from wnids")
      ->delimiter(',')
      ->capture_default_str();
  sub->add_option("--levels", command->options.levels, "search these levels only, by name or number of classes")
      ->delimiter(',');
  sub->add_option("--target", command->target, "energy table: a name of targets/accelerators or a .toml file")
      ->capture_default_str();
  sub->add_option("--weight-memory", command->weight_memory, "the table's memory that weights come from");
  sub->add_option("--activation-memory", command->activation_memory, "the table's memory that activations use");
  sub->add_flag("--count-activations", command->options.count_activations, "activations' traffic counts, too");
  sub->add_option("--weight-bits", command->options.search.weight_bits, "precisions of weights to search")
      ->delimiter(',')
      ->check(CLI::Range(2, 8));
  sub->add_option("--activation-bits", command->options.search.activation_bits, "precisions of activations to search")
      ->delimiter(',')
      ->check(CLI::Range(2, 8));
  sub->add_option("--search-samples", command->options.search_samples, "tuning samples the search measures on; 0: all")
      ->capture_default_str();
  sub->add_option("--points", command->options.points_per_level, "operating points of every level")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  sub->add_option("--uniform", command->uniform, "also measure these precisions, the same in all layers: 8x8,6x6,4x4")
      ->delimiter(',');
  sub->add_option("--polish", command->options.search.polish,
                  "at most so many more measurements for every level, by NSGA-II; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  sub->add_option("--most-lost", command->options.search.most_lost_percent,
                  "end the search of a level where it has lost so many points")
      ->capture_default_str();
  sub->add_option("--epochs", command->epochs, "fine-tune for all precisions; 0: without training")
      ->capture_default_str();
  sub->add_option("--train-data", command->train_data, "samples to fine-tune with");
  sub->add_option("--train-limit", command->train_limit, "fine-tune with at most so many samples; 0: all");
  sub->add_option("--learning-rate", command->options.training.training.learning_rate, "highest, of fine-tuning")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_bfloat16_flag(*sub, command->options.training.training.bfloat16);
  sub->add_option("--train-precision", command->train_precision,
                  "fine-tune at one precision alone, such as 4x4: what a network of its own reaches");
  sub->add_option("--calibrate", command->options.calibration.samples, "samples that find the activations' grids")
      ->capture_default_str();
  sub->add_option("--rounding", command->rounding,
                  "without --epochs: stored digits of the least output error over all precisions, or the nearest "
                  "[learned]")
      ->check(CLI::IsMember({"learned", "nearest"}));
  sub->add_option("--truncation", command->options.truncation_bits,
                  "also compare dropping to these bits on the nested and the two's complement grid")
      ->delimiter(',')
      ->check(CLI::Range(2, 8));
  sub->add_option("--device", command->device,
                  "microcontroller to emit the program for, and to verify every point on in the emulator");
  sub->add_option("--verify", command->verify, "samples to verify on the device")->capture_default_str();
  sub->add_option("--preprocessing", command->preprocessing, "see docs/data.md");
  sub->add_option("--resize", command->source.resize, "pictures: shorter side before the crop");
  sub->add_option("--label-offset", command->source.label_offset, "added to every label");
  sub->add_option("--limit", command->source.limit, "at most so many samples of the data");
  sub->add_option("-o,--output", command->out, "folder of the result")->required();
  add_common_options(*sub, command->common,
                     "trimtab scale squeezenet1.1.onnx --data images:imagenet --taxonomy synset_words.txt --target "
                     "bitblade --preprocessing imagenet --resize 256 -o squeezenet-scale/");
  sub->callback([command] { run_scale(*command); });
}

}  // namespace trimtab::cli
