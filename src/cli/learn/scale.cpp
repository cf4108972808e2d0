#include "cli/scale.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/staging.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/learn/bfloat16.h"
#include "cli/learn/image_bounds.h"
#include "cli/learn/interrupt.h"
#include "cli/model_data.h"
#include "data/dataset.h"
#include "data/taxonomy.h"
#include "data/wordnet.h"
#include "emit/c_text.h"
#include "emit/hand_over.h"
#include "import/network_file.h"
#include "program/program_file.h"
#include "report/report.h"
#include "scale/result.h"
#include "scale/scale.h"

namespace trimtab::cli {
namespace {

namespace fs = std::filesystem;

/// Levels for the network's outputs, in their order; one output more than there are classes is a background class. None
/// without a taxonomy.
Taxonomy read_levels(const ScaleCommand& command, const Task& task, const std::vector<std::string>& classes) {
  if (command.taxonomy.empty()) return {};
  if (task.kind != TaskKind::classification) throw no_levels(task);
  const std::int64_t outputs = task.outputs();
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

/// Without data of their own to tune with, one half of the samples tunes and the other judges.
std::pair<Dataset, Dataset> tune_and_test(const ScaleCommand& command) {
  Dataset test = load_dataset(command.data, Split::test, command.source);
  if (!command.tune_data.empty()) {
    DataOptions source = command.source;
    if (command.tune_limit > 0) source.limit = command.tune_limit;
    return {load_dataset(command.tune_data, Split::train, source), test};
  }
  return test.halves();
}

/// "6x4": 6 bits of weights, 4 of activations.
Precision parse_precision(const std::string& text) {
  const auto is_width = [](char c) { return c >= '2' && c <= '8'; };
  if (text.size() != 3 || text[1] != 'x' || !is_width(text[0]) || !is_width(text[2])) {
    throw bad_input("'{}' is no precision; give bits of weights and of activations, 2 to 8 each, such as 6x4", text);
  }
  return {text[0] - '0', text[2] - '0'};
}

}  // namespace

Result run_scale(ScaleCommand& command, const Surroundings& around) {
  const auto start = std::chrono::steady_clock::now();
  warn_of_slow_bfloat16(command.options.training.training.bfloat16);
  ScaleOptions& options = command.options;
  options.table = load_energy_table(command.accelerator, command.weight_memory, command.activation_memory);
  options.threads = options.calibration.threads = command.common.threads;
  options.search.seed = command.common.seed;
  options.optimize = command.optimize == "size" ? Optimize::size : Optimize::speed;
  if (!command.target.empty()) {
    options.target = load_target(command.target);
    const Bounds memory = image_bounds(*options.target, command.flash, command.ram);
    options.bounds.flash_bytes = memory.flash_bytes;
    options.bounds.ram_bytes = memory.ram_bytes;
    if (!options.device_name.empty()) check_identifier(options.device_name, "--name");
  } else if (!options.device_name.empty()) {
    throw bad_input("--name names the C functions for a microcontroller; give one with --target");
  } else if (!command.flash.empty() || !command.ram.empty()) {
    throw bad_input("--flash and --ram bound a microcontroller; give one with --target");
  } else if (options.frontier) {
    throw bad_input("--frontier measures a microcontroller; give one with --target");
  }
  check_duty(options.bounds, options.target);
  for (const std::string& text : command.uniform) options.uniform.push_back(parse_precision(text));
  if (!command.train_precision.empty()) options.training.only = parse_precision(command.train_precision);
  const StagingFolder staging(command.out, {"device", "levels.svg", "program.bin", "validation.json"});
  const Graph graph = read_model(command.model, command.choice);
  command.source.shape = graph.input_shape();
  command.source.seed = command.common.seed;
  const Preprocessing preprocessing =
      choose_preprocessing(command.preprocessing, command.model, graph.input_shape()[0]);
  auto [tune, test] = tune_and_test(command);
  const std::vector<std::string> classes = test.classes;
  if (command.task.unlabelled) {
    tune = without_answers(std::move(tune));
    test = without_answers(std::move(test));
  }
  options.task = task_choice(command.task);
  const Taxonomy taxonomy =
      read_levels(command, choose_task(options.task, output_of(graph), test, preprocessing), classes);
  Dataset train;
  std::optional<InterruptGuard> interrupt;
  options.train = command.epochs > 0;
  options.learned_rounding = command.rounding != "nearest";
  if (options.train) {
    if (!command.rounding.empty()) {
      throw bad_input(
          "--rounding works without training; with --epochs training finds the digits, so leave one of them out");
    }
    if (command.train_data.empty()) throw bad_input("--epochs needs --train-data to train with");
    DataOptions source = command.source;
    source.limit = command.train_limit;
    train = load_dataset(command.train_data, Split::train, source);
    options.training.training.epochs = command.epochs;
    options.training.training.seed = command.common.seed;
    options.training.training.threads = options.training.calibration.threads = command.common.threads;
    options.training.directory = fs::path(command.out) / "training";
    options.training.training.interrupted = interrupt.emplace(around.interrupted).flag();
    if (!command.teacher.empty()) options.teacher = std::make_shared<const Graph>(load_network(command.teacher));
  } else if (!command.teacher.empty()) {
    throw bad_input("--teacher is for training; give --epochs with it");
  }
  options.report = around.report;
  if (isatty(STDERR_FILENO) != 0) {
    options.search.progress = [](std::int64_t done, const std::string& what) {
      fmt::print(stderr, "\r{} measurements, {}   ", done, printable(what));
    };
  }
  const ScaleResult result =
      scale(graph, taxonomy, train, tune, test, preprocessing, options, staging.path() / "device");
  save_program(result.program, staging.path() / "program.bin");
  if (!result.frontier.empty()) draw_frontier(*options.target, result.frontier, staging.path());
  draw_levels(result, staging.path() / "levels.svg");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const ScaleRun run{command.model, command.data, command.epochs, options, command.common.seed, around.command_line};
  const nlohmann::ordered_json described = result_json(run, result, seconds);
  if (result.deployment.has_value()) {
    const std::string name = options.device_name.empty() ? to_identifier(graph.name) : options.device_name;
    write_hand_over({name, command.model, left_out_layers(graph), described, *result.deployment}, result.program,
                    *options.target, options.optimize, staging.path() / "device");
  }
  const nlohmann::ordered_json details = details_json(run, result);
  if (!details.is_null()) write_file(staging.path() / "details.json", json_text(details) + "\n");
  write_file(staging.path() / "result.json", json_text(described, 2));
  write_report(staging.path());
  staging.commit();
  return {described, summary(run, result) + fmt::format("written to {}\n", command.out)};
}

}  // namespace trimtab::cli
