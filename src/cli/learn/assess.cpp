#include "cli/assess.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "assess/assess.h"
#include "assess/result.h"
#include "base/error.h"
#include "base/file.h"
#include "base/staging.h"
#include "base/units.h"
#include "cli/learn/interrupt.h"
#include "cli/learn/trials.h"
#include "cli/model_data.h"
#include "learn/clean_network.h"
#include "learn/evaluate.h"
#include "learn/train.h"
#include "measure/warnings.h"
#include "plan/layers.h"
#include "report/memory_accuracy.h"
#include "report/plan_picture.h"
#include "target/target.h"

namespace trimtab::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::int64_t parse_count(std::string_view text, const std::string& option, const std::string& whole) {
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > 1'000'000'000)
    throw bad_input("{} has '{}' in '{}' where a whole number is needed", option, text, whole);
  return number;
}

/// "5000+10000:4": samples of recovery, samples at the bits, candidates of every budget that get there.
AssessRound parse_round(const std::string& text) {
  const std::string_view view = text;
  const std::size_t plus = view.find('+');
  const std::size_t colon = std::min(view.find(':'), view.size());
  if (plus == std::string_view::npos || plus > colon)
    throw bad_input("--rounds has '{}'; a round is RECOVERY+TRAINING or RECOVERY+TRAINING:KEEP, in samples", text);
  AssessRound round;
  round.recovery_samples = parse_count(view.substr(0, plus), "--rounds", text);
  round.training_samples = parse_count(view.substr(plus + 1, colon - plus - 1), "--rounds", text);
  if (colon < view.size()) round.keep = parse_count(view.substr(colon + 1), "--rounds", text);
  return round;
}

/// "2-16", "2,4,8", "2-8,16".
std::vector<int> parse_bits(const std::string& text) {
  std::vector<int> bits;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    const std::size_t dash = part.find('-');
    const std::int64_t first = parse_count(part.substr(0, dash), "--bits", text);
    const std::int64_t last =
        dash == std::string_view::npos ? first : parse_count(part.substr(dash + 1), "--bits", text);
    if (first < 2 || last > 16 || first > last) throw bad_input("--bits is '{}'; give bits from 2 to 16", text);
    for (std::int64_t b = first; b <= last; ++b) bits.push_back(static_cast<int>(b));
    begin = end + 1;
  }
  std::sort(bits.begin(), bits.end());
  bits.erase(std::unique(bits.begin(), bits.end()), bits.end());
  return bits;
}

void parse_options(AssessCommand& command) {
  AssessOptions& options = command.options;
  options.seed = command.common.seed;
  options.distill = !command.no_distillation;
  options.bits = parse_bits(command.bits);
  for (const std::string& budget : command.budgets) options.budgets_bytes.push_back(parse_bytes(budget, "--budgets"));
  std::sort(options.budgets_bytes.begin(), options.budgets_bytes.end());
  options.rules.clear();
  for (const std::string& rule : command.rules) options.rules.push_back(parse_pruning_rule(rule));
  for (const std::string& round : command.rounds) options.rounds.push_back(parse_round(round));
}

struct Inputs {
  Graph graph;
  Preprocessing preprocessing;
  Dataset train;
  Dataset test;
};

/// The options that the trials depend on; the rest stands in the settings of each trial.
template <typename Archive, typename Command>
void assess_context(Archive& archive, Command& command) {
  archive("model", command.model);
  archive("input_shape", command.choice.input_shape);
  archive("outputs", command.choice.outputs);
  archive("task", command.task.task);
  archive("threshold", command.task.threshold);
  archive("data", command.data);
  archive("preprocessing", command.preprocessing);
  archive("limit", command.limit);
  archive("seed", command.common.seed);
}

nlohmann::json assess_context_of(AssessCommand command) {
  command.model = fs::absolute(command.model).string();
  ContextWriter writer;
  assess_context(writer, command);
  return writer.json();
}

Inputs load(const AssessCommand& command) {
  Inputs inputs;
  inputs.graph = read_model(command.model, command.choice);
  inputs.preprocessing = choose_preprocessing(command.preprocessing, command.model, inputs.graph.input_shape()[0]);
  DataOptions source;
  source.shape = inputs.graph.input_shape();
  source.parts = inputs.graph.input_parts;
  source.limit = command.limit;
  source.seed = command.common.seed;
  inputs.train = load_dataset(command.data, Split::train, source);
  inputs.test = load_dataset(command.data, Split::test, source);
  return inputs;
}

/// The inputs that every trial depends on, beside its own settings.
nlohmann::json study_settings(const Inputs& inputs, const Graph& prepared, int threads_per_trial) {
  const nlohmann::json train = training_settings(prepared, inputs.train, {}, {});
  const nlohmann::json test = training_settings(prepared, inputs.test, {}, {});
  return {{"command", "assess"},          {"network", train.at("network")},         {"train_data", train.at("data")},
          {"test_data", test.at("data")}, {"threads_per_trial", threads_per_trial}, {"trials_version", 1}};
}

}  // namespace

Result run_assess(AssessCommand& command, const Surroundings& around) {
  const auto start = std::chrono::steady_clock::now();
  parse_options(command);
  const StagingFolder staging(command.out);
  const Inputs inputs = load(command);
  std::optional<ResumeNotice> notice;
  if (around.interrupted == nullptr) notice.emplace();
  const CleanNetwork clean =
      clean_network(prepare_for_deployment(inputs.graph, inputs.preprocessing), inputs.train, command.common.threads);
  const Graph& prepared = clean.graph;

  Study study(command.out, study_settings(inputs, prepared, command.threads_per_trial));
  if (command.retry_failed) study.retry_failed();
  ProcessRunner runner({.kind = "assess",
                        .context = assess_context_of(command),
                        .threads_per_trial = command.threads_per_trial,
                        .threads = command.common.threads,
                        .logs = fs::absolute(command.out) / "logs",
                        .program = around.trial_program,
                        .interrupted = around.interrupted});
  const Task task = choose_task(task_choice(command.task), output_of(inputs.graph), inputs.test, inputs.preprocessing);
  if (!task.labelled) throw bad_input("an assessment needs labels, and {} has none here", name_of(task.kind));
  const Measure measure = measures_of(task)[0];
  const std::string float_note = fmt::format("{}_float", info_of(measure).key);
  if (measure != Measure::top1) {
    study.put_note("value", info_of(measure).key);
    study.put_note("value_is_small", !info_of(measure).larger_is_better);
  }
  if (study.note("importance").is_null()) study.put_note("importance", assess_importance(prepared, inputs.train, task));
  if (study.note(float_note).is_null()) {
    EvaluateOptions evaluation;
    evaluation.threads = command.common.threads;
    evaluation.task = task;
    study.put_note(float_note, primary(task, evaluate(inputs.graph, inputs.test, inputs.preprocessing, evaluation)));
  }
  const std::vector<double> importance = study.note("importance");
  if (around.report && !clean.report.empty()) around.report(clean.report);
  const AssessResult result =
      assess(prepared, importance, task, study.note(float_note), command.options, study, runner, around.report);

  const Pricer pricer(load_target(command.target), Optimize::speed, inputs.train, inputs.test, {}, inputs.graph.name,
                      false);
  std::vector<DeployablePlan> plans;
  for (const AssessBudget& budget : result.budgets)
    plans.push_back(deployable_plan(prepared, importance, *budget.optimum, budget.budget_bytes, pricer));

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  AssessRun run{command.model, command.data, inputs.test.size(), seconds, {}, around.command_line};
  if (const auto absent = absent_classes_warning(task, inputs.test, "test data")) run.warnings.push_back(*absent);
  Result described = describe(run, command.options, result, plans, study);
  write_result(described, run, result, plans, prepared, importance, staging.path());
  staging.commit();
  return described;
}

TrialFunction make_assess_trials(const nlohmann::json& context, int threads) {
  AssessCommand command;
  ContextReader reader(context);
  assess_context(reader, command);
  Inputs inputs = load(command);
  auto trials = std::make_shared<AssessTrials>(inputs.graph, inputs.preprocessing, std::move(inputs.train),
                                               std::move(inputs.test), task_choice(command.task), threads);
  return [trials](const TrialSpec& spec, const fs::path& folder) { return trials->run(spec, folder); };
}

}  // namespace trimtab::cli
