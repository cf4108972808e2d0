#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_data.h"
#include "data/dataset.h"
#include "data/taxonomy.h"
#include "data/wordnet.h"
#include "emit/source.h"
#include "import/onnx.h"
#include "program/program_file.h"
#include "report/plot.h"
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
  std::string flash;
  std::string ram;
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

nlohmann::ordered_json score_json(const LevelScore& score) {
  return {{"top1", score.top1}, {"balanced", score.balanced}, {"majority", score.majority}, {"samples", score.samples}};
}

nlohmann::ordered_json energy_json(const InferenceEnergy& energy) {
  return {{"total_nj", energy.total()},
          {"macs_nj", energy.macs},
          {"weights_nj", energy.weights},
          {"activations_nj", energy.activations},
          {"interpolated", energy.interpolated}};
}

nlohmann::ordered_json table_json(const EnergyTable& table) {
  return {{"name", table.name},
          {"description", table.description},
          {"source", table.source},
          {"relative", table.relative},
          {"interpolate", table.interpolate},
          {"uncertainty_percent", table.uncertainty_percent},
          {"weight_memory", table.weights.name},
          {"activation_memory", table.activations.name}};
}

nlohmann::ordered_json truncation_json(const TruncationTable& table) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const TruncationRow& row : table.rows) {
    rows.push_back({{"weight_bits", row.weight_bits},
                    {"top1_nested", row.nested},
                    {"top1_twos_complement", row.twos_complement},
                    {"top1_nested_corrected", row.nested_corrected},
                    {"top1_twos_complement_corrected", row.twos_complement_corrected},
                    {"top1_nested_learned", row.nested_learned}});
  }
  return {{"top1_float", table.top1_float}, {"samples", table.samples}, {"rows", rows}};
}

nlohmann::ordered_json point_json(const ScaleResult& result, std::size_t index) {
  const ScalePoint& point = result.points[index];
  nlohmann::ordered_json plan = nlohmann::ordered_json::array();
  for (std::size_t l = 0; l < result.layers.size(); ++l) {
    const bool weighted = result.network.weights[static_cast<std::size_t>(result.layers[l].node)].has_value();
    nlohmann::ordered_json layer = {{"layer", result.layers[l].name}};
    if (weighted) layer["weight_bits"] = point.precision[l].weights;
    layer["activation_bits"] = point.precision[l].activations;
    plan.push_back(layer);
  }
  nlohmann::ordered_json measured = nlohmann::ordered_json::array();
  for (std::size_t l = 0; l < result.levels.size(); ++l) {
    const LevelMeasurement& at = point.measured[l];
    measured.push_back({{"level", result.levels[l].name},
                        {"tune", score_json(at.tune)},
                        {"test", score_json(at.test)},
                        {"lost_points", at.lost.mean},
                        {"lost_points_half_width_95", at.lost.half_width},
                        {"tune_lost_points", at.tune_lost.mean},
                        {"tune_lost_points_half_width_95", at.tune_lost.half_width}});
    if (at.lost_expected.has_value()) {
      measured.back()["lost_points_expected"] = at.lost_expected->mean;
      measured.back()["lost_points_expected_half_width_95"] = at.lost_expected->half_width;
    }
  }
  return {{"point", index},
          {"level", result.levels[point.level].name},
          {"uniform", point.uniform},
          {"energy", energy_json(point.energy)},
          {"saved_percent", point.saved_percent},
          {"divergence_nats", point.divergence},
          {"measured", measured},
          {"plan", plan}};
}

/// What may be lost, percent points of top-1, where result.json names the point to take.
constexpr double offered_losses[] = {0.5, 1, 1.5, 2, 3};
/// Or at least saved, percent of the energy at 8x8 bits.
constexpr double offered_savings[] = {25, 45, 50, 65};

nlohmann::ordered_json choices_json(const ScaleResult& result) {
  nlohmann::ordered_json choices = nlohmann::ordered_json::array();
  for (std::size_t l = 0; l < result.levels.size(); ++l) {
    for (const double lost : offered_losses) {
      choices.push_back(
          {{"level", result.levels[l].name}, {"may_lose_points", lost}, {"point", choose_point(result, l, lost)}});
    }
    for (const double saved : offered_savings) {
      const std::optional<std::size_t> point = choose_saving_point(result, l, saved);
      if (!point.has_value()) continue;
      choices.push_back({{"level", result.levels[l].name}, {"saves_percent", saved}, {"point", *point}});
    }
  }
  return choices;
}

nlohmann::ordered_json result_json(const ScaleCommand& command, const ScaleResult& result, double seconds) {
  nlohmann::ordered_json json = {{"model", command.model},
                                 {"data", command.data},
                                 {"target", table_json(command.options.table)},
                                 {"energy_8x8", energy_json(result.full)},
                                 {"epochs", command.epochs},
                                 {"weights_bytes", weights_bytes(result.program)}};
  nlohmann::ordered_json levels = nlohmann::ordered_json::array();
  for (std::size_t l = 0; l < result.levels.size(); ++l) {
    levels.push_back({{"level", result.levels[l].name},
                      {"classes", result.levels[l].classes.size()},
                      {"tune_float", score_json(result.tune_float[l])},
                      {"test_float", score_json(result.test_float[l])}});
  }
  json["levels"] = levels;
  json["points"] = nlohmann::ordered_json::array();
  for (std::size_t k = 0; k < result.points.size(); ++k) json["points"].push_back(point_json(result, k));
  json["choices"] = choices_json(result);
  if (!result.truncation.empty()) json["truncation"] = truncation_json(result.truncation.front());
  if (const auto& deployment = result.deployment) {
    const Target& target = *command.options.target;
    json["flash_bytes"] = deployment->flash_bytes();
    json["ram_bytes"] = deployment->ram_bytes();
    json["stack_bytes"] = deployment->stack_bytes;
    json["arena_bytes"] = deployment->arena_bytes;
    json["text_bytes"] = deployment->image.text;
    json["rodata_bytes"] = deployment->image.rodata;
    json["instructions"] = deployment->instructions();
    json["device"] = {{"target", target.name},
                      {"machine", target.emulated_board},
                      {"samples", deployment->samples},
                      {"points", deployment->point_instructions.size()},
                      {"mismatches", deployment->mismatches},
                      {"instructions", deployment->point_instructions}};
    json["latency_ms"] = latency_ms(target, deployment->instructions());
    json["bounds"] = {{"flash_bytes", command.options.bounds.flash_bytes},
                      {"ram_bytes", command.options.bounds.ram_bytes}};
  }
  json["seed"] = command.common.seed;
  json["wall_s"] = seconds;
  json["version"] = TRIMTAB_VERSION;
  return json;
}

/// Accuracy over energy, a curve for each level.
void draw_levels(const ScaleResult& result, const fs::path& path) {
  Plot plot;
  plot.title = "accuracy over energy, one set of weights";
  plot.x_label = "energy of one inference, % of 8x8 bits";
  plot.y_label = "top-1, %, held-back samples";
  for (std::size_t l = 0; l < result.levels.size(); ++l) {
    Curve curve;
    curve.title = result.levels[l].name;
    for (const ScalePoint& point : result.points) {
      if (point.level != l || point.uniform) continue;
      curve.x.push_back(100 - point.saved_percent);
      curve.y.push_back(point.measured[l].test.top1);
    }
    if (!curve.x.empty()) plot.curves.push_back(std::move(curve));
  }
  draw(path, {plot});
}

std::string summary(const ScaleResult& result) {
  std::string text = fmt::format("{:<3} {:<16} {:>9} {:>8} {:>8} {:>8} {:>9} {:>14}\n", "", "level", "energy uJ",
                                 "saved", "top-1", "balanced", "majority", "lost (95 %)");
  for (std::size_t k = 0; k < result.points.size(); ++k) {
    const ScalePoint& point = result.points[k];
    const LevelMeasurement& at = point.measured[point.level];
    text += fmt::format("{:<3} {:<16} {:>9.1f} {:>6.1f} % {:>6.2f} % {:>6.2f} % {:>7.2f} % {:>6.2f} +- {:.2f}\n", k,
                        result.levels[point.level].name, point.energy.total() / 1000, point.saved_percent, at.test.top1,
                        at.test.balanced, at.test.majority, at.lost.mean, at.lost.half_width);
  }
  for (std::size_t l = 0; l < result.levels.size(); ++l) {
    const std::size_t k = choose_point(result, l, 1);
    const MeanDifference& lost = result.points[k].measured[l].lost;
    text += fmt::format("{} for at most 1 point: operating point {}, {:.1f} % saved, {:.2f} +- {:.2f} lost\n",
                        result.levels[l].name, k, result.points[k].saved_percent, lost.mean, lost.half_width);
  }
  const bool interpolated = std::any_of(result.points.begin(), result.points.end(),
                                        [](const ScalePoint& point) { return point.energy.interpolated; });
  if (interpolated) text += "energies of some widths are interpolated between those of the table, as its file allows\n";
  return text;
}

void run_scale(ScaleCommand& command) {
  const auto start = std::chrono::steady_clock::now();
  ScaleOptions& options = command.options;
  options.table = load_energy_table(command.target, command.weight_memory, command.activation_memory);
  options.threads = options.calibration.threads = command.common.threads;
  options.search.seed = command.common.seed;
  if (!command.device.empty()) {
    options.target = load_target(command.device);
    options.bounds.flash_bytes =
        command.flash.empty() ? options.target->flash_bytes.value : parse_bytes(command.flash, "--flash");
    options.bounds.ram_bytes =
        command.ram.empty() ? options.target->ram_bytes.value : parse_bytes(command.ram, "--ram");
  } else if (!command.flash.empty() || !command.ram.empty()) {
    throw bad_input("--flash and --ram bound a microcontroller; give one with --device");
  }
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
  const fs::path out = command.out;
  make_directory(out);
  const ScaleResult result = scale(graph, taxonomy, train, tune, test, preprocessing, options, out / "device");
  save_program(result.program, out / "program.bin");
  draw_levels(result, out / "levels.svg");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::string json = result_json(command, result, seconds).dump(2);
  write_file(out / "result.json", json);
  if (command.common.json) {
    fmt::print("{}\n", json);
    return;
  }
  fmt::print("{}", summary(result));
  if (const auto& deployment = result.deployment) {
    fmt::print(
        "flash {} of {}, RAM {} of {}; {} in the emulator: {} samples at {} points, {} differing numbers, {} "
        "instructions "
        "at most\n",
        format_bytes(deployment->flash_bytes()), format_bytes(options.bounds.flash_bytes),
        format_bytes(deployment->ram_bytes()), format_bytes(options.bounds.ram_bytes), command.device,
        deployment->samples, deployment->point_instructions.size(), deployment->mismatches,
        format_count(deployment->instructions()));
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
  sub->add_option("--flash", command->flash, "most flash that the image may take, such as 128KB (the device's own)");
  sub->add_option("--ram", command->ram, "most RAM, stack included, that the image may take (the device's own)");
  sub->add_option("--verify", command->options.verify_samples, "samples to verify on the device")
      ->capture_default_str();
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
