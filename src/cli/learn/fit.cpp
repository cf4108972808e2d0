#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/staging.h"
#include "base/units.h"
#include "cli/fit.h"
#include "cli/learn/bfloat16.h"
#include "cli/learn/image_bounds.h"
#include "cli/learn/interrupt.h"
#include "cli/learn/trials.h"
#include "cli/model_data.h"
#include "cost/energy.h"
#include "data/dataset.h"
#include "emit/c_text.h"
#include "fit/fit.h"
#include "fit/result.h"
#include "import/network_file.h"
#include "program/program_file.h"
#include "study/dispatch.h"

namespace trimtab::cli {
namespace {

namespace fs = std::filesystem;

RangeMethod parse_range_method(const std::string& word) {
  if (word == "min-max") return RangeMethod::min_max;
  if (word == "percentile") return RangeMethod::percentile;
  return RangeMethod::mse;
}

/// The bits that an option fixes; nothing where they are to be searched.
std::optional<int> fixed_bits(const std::string& word, const std::string& option, bool search) {
  if (word == "auto" || (word.empty() && search)) return std::nullopt;
  if (word.empty()) return 8;
  if (word.size() > 2 || word.find_first_not_of("0123456789") != std::string::npos)
    throw bad_input("{} is '{}'; it must be a number of bits or auto", option, word);
  return std::stoi(word);
}

/// With --search filters and bits are searched, with "auto" the bits alone. A value that an option fixes stays.
void configure_search(FitCommand& command) {
  FitOptions& options = command.options;
  PlanSearchOptions& plan = command.search_options.plan;
  const std::optional<int> weight_bits = fixed_bits(command.weight_bits, "--weight-bits", command.search);
  const std::optional<int> activation_bits = fixed_bits(command.activation_bits, "--activation-bits", command.search);
  options.weight_bits = weight_bits.value_or(8);
  options.activation_bits = activation_bits.value_or(8);
  (void)uniform_plan({}, options.weight_bits, options.activation_bits);  // refuses bits that cannot be deployed
  if (!command.search && weight_bits.has_value() && activation_bits.has_value()) {
    if (!command.weights.empty()) throw bad_input("--weights bounds a search; give --search with it");
    if (!command.memory.empty()) throw bad_input("--memory bounds a search; give --search with it");
    return;
  }
  if (!command.plan.empty())
    throw bad_input("--plan fixes the filters and bits that a search is to find; leave one of them out");
  if (command.task.unlabelled) throw bad_input("a search needs labels; leave --unlabelled out");
  if (command.epochs < 1) throw bad_input("a search trains the plan that it finds; give --epochs of at least 1");
  if (!command.weights.empty()) plan.bounds.weights_bytes = parse_bound(command.weights, "--weights");
  if (!command.memory.empty()) plan.bounds.memory_bytes = parse_bound(command.memory, "--memory");
  if (weight_bits.has_value()) plan.bits.weight_bits = {*weight_bits};
  if (activation_bits.has_value()) plan.bits.activation_bits = {*activation_bits};
  if (!command.search) plan.widths = {1.0};
  plan.bits.engine = command.engine == "nsga2" ? BitEngine::nsga2 : BitEngine::knapsack;
  plan.recovery.epochs = std::max<std::int64_t>(options.recovery_epochs, 1);
  plan.first_round.samples = plan.recovery.samples;
  plan.last_round.epochs = command.epochs;
  command.search_options.study = command.out;
  options.search = command.search_options;
}

/// Everything of the options that needs no data.
void configure(FitCommand& command) {
  FitOptions& options = command.options;
  if (command.target != "host") {
    options.target = load_target(command.target);
    const Bounds memory = image_bounds(*options.target, command.flash, command.ram);
    options.bounds.flash_bytes = memory.flash_bytes;
    options.bounds.ram_bytes = memory.ram_bytes;
    if (!options.device_name.empty()) check_identifier(options.device_name, "--name");
  } else if (!options.device_name.empty()) {
    throw bad_input("--name names the C functions for a microcontroller; with --target host there is none");
  } else if (!command.flash.empty() || !command.ram.empty()) {
    throw bad_input("--flash and --ram bound a microcontroller; with --target host there is none");
  } else if (options.frontier) {
    throw bad_input("--frontier measures a microcontroller; with --target host there is none");
  }
  if (command.input == "rows" && !options.target.has_value())
    throw bad_input("--input rows is for a microcontroller; with --target host there is none");
  check_duty(options.bounds, options.target);
  configure_search(command);
  options.importance = parse_importance(command.importance);
  if (!command.teacher.empty()) options.teacher = std::make_shared<const Graph>(load_network(command.teacher));
  if (!command.plan.empty()) options.plan_file = command.plan;
  options.calibration.activations = parse_range_method(command.calibration);
  options.optimize = command.optimize == "size" ? Optimize::size : Optimize::speed;
  options.input = parse_input_form(command.input);
  // the numbers of a search depend on the threads of a trial, not on how many run at once
  options.threads = options.search.has_value() ? command.threads_per_trial : command.common.threads;
  options.calibration.threads = options.threads;
  options.task = task_choice(command.task);
  const bool own_labels = options.task.kind == TaskKind::reconstruction;  // the samples themselves
  if (command.task.unlabelled && command.epochs > 0 && !own_labels)
    throw bad_input("--epochs needs labels; leave --unlabelled out or give --epochs 0");
  options.train = command.epochs > 0;
  options.training.training.epochs = command.epochs;
  options.training.training.seed = command.common.seed;
  options.training.training.threads = options.threads;
  options.training.calibration = options.calibration;
  options.training.directory = fs::path(command.out) / "training";
}

struct FitInputs {
  Graph graph;
  Preprocessing preprocessing;
  Dataset train;
  Dataset test;
};

FitInputs load(FitCommand& command) {
  FitInputs inputs;
  inputs.graph = read_model(command.model, command.choice);
  const Shape& shape = inputs.graph.input_shape();
  inputs.preprocessing = choose_preprocessing(command.preprocessing, command.model, shape[0]);
  command.source.shape = shape;
  command.source.parts = inputs.graph.input_parts;
  command.source.seed = command.common.seed;
  inputs.test = load_dataset(command.data, Split::test, command.source);
  inputs.train =
      load_dataset(command.train_data.empty() ? command.data : command.train_data, Split::train, command.source);
  if (command.task.unlabelled) {
    inputs.test = without_answers(std::move(inputs.test));
    inputs.train = without_answers(std::move(inputs.train));
  }
  return inputs;
}

/// The options that the trials of a search depend on; the rest stands in the settings of each trial.
template <typename Archive, typename Command>
void fit_context(Archive& archive, Command& command) {
  archive("model", command.model);
  archive("input_shape", command.choice.input_shape);
  archive("outputs", command.choice.outputs);
  archive("task", command.task.task);
  archive("threshold", command.task.threshold);
  archive("data", command.data);
  archive("train_data", command.train_data);
  archive("preprocessing", command.preprocessing);
  archive("resize", command.source.resize);
  archive("label_offset", command.source.label_offset);
  archive("limit", command.source.limit);
  archive("seed", command.common.seed);
  archive("calibration", command.calibration);
  archive("calibration_samples", command.options.calibration.samples);
  archive("learning_rate", command.options.training.training.learning_rate);
  archive("bfloat16", command.options.training.training.bfloat16);
  archive("importance", command.importance);
  archive("teacher", command.teacher);
  archive("validation_samples", command.search_options.validation_samples);
}

nlohmann::json fit_context_of(FitCommand command) {
  command.model = fs::absolute(command.model).string();
  ContextWriter writer;
  fit_context(writer, command);
  return writer.json();
}

FitCommand command_of(const nlohmann::json& context, int threads) {
  FitCommand command;
  ContextReader reader(context);
  fit_context(reader, command);
  command.threads_per_trial = threads;
  command.search = true;
  command.epochs = 1;  // each trial has its own
  configure(command);
  return command;
}

}  // namespace

Result run_fit(FitCommand& command, const Surroundings& around) {
  const auto start = std::chrono::steady_clock::now();
  warn_of_slow_bfloat16(command.options.training.training.bfloat16);
  configure(command);
  const StagingFolder staging(command.out, {"device", "validation.json"});
  FitOptions& options = command.options;
  options.report = around.report;
  const auto [graph, preprocessing, train_data, test_data] = load(command);
  std::optional<ProcessRunner> runner;
  std::optional<InterruptGuard> interrupt;
  if (!options.search.has_value() && (options.train || options.recovery_epochs > 0)) {
    options.training.training.interrupted = interrupt.emplace(around.interrupted).flag();
  }
  std::optional<ResumeNotice> notice;
  if (options.search.has_value()) {
    if (around.interrupted == nullptr) notice.emplace();
    runner.emplace(TrialWork{"fit", fit_context_of(command), command.threads_per_trial, command.common.threads,
                             fs::absolute(command.out) / "logs", around.trial_program, around.interrupted});
    options.search->runner = &*runner;
  }

  const FitResult result = fit(graph, train_data, test_data, preprocessing, options, staging.path() / "device");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const FitRun run{command.model, command.data, seconds, around.command_line};
  Result described = describe(run, options, result);
  write_result(described, run, options, result, staging.path());
  staging.commit();
  return described;
}

TrialFunction make_fit_trials(const nlohmann::json& context, int threads) {
  FitCommand command = command_of(context, threads);
  const FitInputs inputs = load(command);
  const auto data = std::make_shared<const FitTrialData>(
      fit_trial_data(inputs.graph, inputs.train, inputs.preprocessing, command.options));
  return [data](const TrialSpec& spec, const fs::path& folder) { return run_fit_trial(*data, spec, folder); };
}

}  // namespace trimtab::cli
