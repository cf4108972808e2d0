#include "cli/assess.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "assess/assess.h"
#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "cli/learn/trials.h"
#include "cli/model_data.h"
#include "import/onnx.h"
#include "learn/evaluate.h"
#include "learn/train.h"
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

Inputs load(const nlohmann::json& context) {
  Inputs inputs;
  const std::string model = context.at("model");
  inputs.graph = read_onnx(model);
  inputs.preprocessing = choose_preprocessing(context.at("preprocessing"), model, inputs.graph.input_shape()[0]);
  DataOptions source;
  source.shape = inputs.graph.input_shape();
  source.limit = context.at("limit");
  source.seed = context.at("data_seed");
  inputs.train = load_dataset(context.at("data"), Split::train, source);
  inputs.test = load_dataset(context.at("data"), Split::test, source);
  return inputs;
}

/// What every trial depends on, beside its own settings.
nlohmann::json study_settings(const Inputs& inputs, const Graph& prepared, int threads_per_trial) {
  const nlohmann::json train = training_settings(prepared, inputs.train, {}, {});
  const nlohmann::json test = training_settings(prepared, inputs.test, {}, {});
  return {{"command", "assess"},          {"network", train.at("network")},         {"train_data", train.at("data")},
          {"test_data", test.at("data")}, {"threads_per_trial", threads_per_trial}, {"trials_version", 1}};
}

std::string describe_filters(const KeptFilters& filters) {
  if (filters.empty()) return "all filters";
  std::string text;
  for (const auto& [name, count] : filters) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  return text;
}

ordered_json json_of(const AssessPoint& point) {
  ordered_json json = {{"bits", point.bits},
                       {"filters", point.filters},
                       {"memory_bytes", point.memory_bytes},
                       {"weights", point.numbers.weights},
                       {"activations", point.numbers.activations},
                       {"top1", point.top1},
                       {"round", point.round + 1},
                       {"trial", point.trial},
                       {"folder", point.folder}};
  if (point.repeated.size() > 1) {
    const auto count = static_cast<double>(point.repeated.size());
    const double mean = std::accumulate(point.repeated.begin(), point.repeated.end(), 0.0) / count;
    double squares = 0;
    for (const double top1 : point.repeated) squares += (top1 - mean) * (top1 - mean);
    json["top1_seeds"] = point.repeated;
    json["top1_mean"] = mean;
    json["top1_deviation"] = std::sqrt(squares / (count - 1));
  }
  return json;
}

ordered_json json_of(const AssessBudget& budget) {
  ordered_json json = {{"budget_bytes", budget.budget_bytes}};
  if (budget.optimum) json["optimum"] = json_of(*budget.optimum);
  if (budget.restricted) {
    json["restricted"] = json_of(*budget.restricted);
    json["restricted"]["loss"] = budget.optimum->top1 - budget.restricted->top1;
  }
  json["by_bits"] = ordered_json::array();
  for (const AssessPoint& point : budget.by_bits)
    json["by_bits"].push_back({{"bits", point.bits}, {"top1", point.top1}, {"filters", point.filters}});
  return json;
}

ordered_json result_json(const AssessCommand& command, const AssessResult& result, const Study& study,
                         std::int64_t test_samples, double seconds) {
  ordered_json json = {{"model", command.model},
                       {"data", command.data},
                       {"samples", test_samples},
                       {"top1_float", result.top1_float},
                       {"weights", result.numbers.weights},
                       {"activations", result.numbers.activations},
                       {"rounds", command.rounds},
                       {"restricted_bits", command.options.restricted_bits}};
  json["budgets"] = ordered_json::array();
  for (const AssessBudget& budget : result.budgets) json["budgets"].push_back(json_of(budget));
  double trial_seconds = 0;
  std::int64_t done = 0;
  for (const Trial& trial : study.trials()) {
    trial_seconds += trial.wall_s;
    done += trial.state == TrialState::done ? 1 : 0;
  }
  json["trials"] = {{"done", done}, {"failed", result.failed}};
  json["trial_s"] = trial_seconds;
  json["seed"] = command.common.seed;
  json["wall_s"] = seconds;
  json["version"] = TRIMTAB_VERSION;
  return json;
}

/// `plans`: by budget.
std::string summary(const AssessCommand& command, const AssessResult& result,
                    const std::vector<DeployablePlan>& plans) {
  std::string text = fmt::format(
      "{}: {} weights and biases, {} activations counted; float top-1 {:.2f} %\n\n"
      "{:>9}  {:>4} {:>7}  {:>10} {:>7} {:>6}  filters of the optimum\n",
      fs::path(command.model).filename().string(), format_count(result.numbers.weights),
      format_count(result.numbers.activations), result.top1_float, "budget", "bits", "top-1", "restricted", "top-1",
      "loss");
  for (const AssessBudget& budget : result.budgets) {
    const AssessPoint& optimum = *budget.optimum;
    const std::string other = budget.restricted
                                  ? fmt::format("{:>10} {:>7.2f} {:>6.2f}", budget.restricted->bits,
                                                budget.restricted->top1, optimum.top1 - budget.restricted->top1)
                                  : fmt::format("{:>10} {:>7} {:>6}", "none", "", "");
    text += fmt::format("{:>9}  {:>4} {:>7.2f}  {}  {}\n", format_bytes(budget.budget_bytes), optimum.bits,
                        optimum.top1, other, describe_filters(optimum.filters));
  }
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const std::int64_t bytes = plans[i].memory_bytes();
    if (bytes > result.budgets[i].budget_bytes)
      text += fmt::format("\n{} is too little for the optimum's filters once deployed: {} with 2-bit activations\n",
                          format_bytes(result.budgets[i].budget_bytes), format_bytes(bytes));
  }
  if (result.failed > 0) text += fmt::format("\n{} trials failed; 'trimtab study' tells why\n", result.failed);
  return text +
         "\nmap.svg, map.png, map.csv, map.json   the map and the distance to the optimum\n"
         "plans.svg, ...                        the optima layer by layer\n"
         "plan-BYTES.toml                       the optimum of a budget, for 'trimtab fit --plan'\n";
}

std::string plan_name(const AssessBudget& budget) { return fmt::format("plan-{}.toml", budget.budget_bytes); }

/// Bits that share a colour: few enough to be told apart.
std::string family_of(int bits) {
  if (bits == 8) return "8 bits";
  if (bits == 16) return "16 bits";
  return bits < 5 ? "2 to 4 bits" : bits < 8 ? "5 to 7 bits" : "9 to 15 bits";
}

/// The optimum of every budget, layer by layer.
std::vector<PlanPicture> plans_of(const AssessResult& result, const Graph& prepared,
                                  const std::vector<double>& importance) {
  const ChannelGroups groups = find_channel_groups(prepared);
  std::vector<PlanPicture> plans;
  for (const AssessBudget& budget : result.budgets) {
    const AssessPoint& point = *budget.optimum;
    PlanPicture plan;
    plan.title = fmt::format("{}: {} bits, top-1 {:.2f} %", format_bytes(budget.budget_bytes), point.bits, point.top1);
    const Graph pruned = prune_to(prepared, groups, importance, point.filters);
    for (const Node& node : pruned.nodes) {
      if (!std::holds_alternative<Conv>(node.op) && !std::holds_alternative<Linear>(node.op)) continue;
      plan.layers.push_back(
          {node.name, pruned.shape_of(node.output)[0], prepared.shape_of(node.output)[0], point.bits, point.bits});
    }
    plans.push_back(plan);
  }
  return plans;
}

void draw_points(const AssessCommand& command, const AssessResult& result) {
  std::vector<MapPoint> points;
  for (const AssessPoint& point : result.map)
    points.push_back({family_of(point.bits), fmt::format("{} bits, {}", point.bits, describe_filters(point.filters)),
                      static_cast<double>(point.memory_bytes), point.top1});
  std::stable_sort(points.begin(), points.end(),
                   [](const MapPoint& a, const MapPoint& b) { return a.series < b.series; });
  MapLine optimum{"optimum", {}, {}};
  MapLine restricted{"8 or 16 bits only", {}, {}};
  for (const AssessBudget& budget : result.budgets) {
    optimum.memory_bytes.push_back(static_cast<double>(budget.budget_bytes));
    optimum.top1.push_back(budget.optimum->top1);
    restricted.memory_bytes.push_back(static_cast<double>(budget.budget_bytes));
    restricted.top1.push_back(budget.restricted ? budget.restricted->top1 : std::nan(""));
  }
  draw_memory_accuracy(command.out, "map",
                       fmt::format("{}: accuracy over memory", fs::path(command.model).stem().string()), points,
                       {optimum, restricted}, 0);
}

}  // namespace

void run_assess(AssessCommand& command) {
  const auto start = std::chrono::steady_clock::now();
  parse_options(command);
  const nlohmann::json context = {{"model", fs::absolute(command.model).string()},
                                  {"data", command.data},
                                  {"preprocessing", command.preprocessing},
                                  {"limit", command.limit},
                                  {"data_seed", command.common.seed}};
  const Inputs inputs = load(context);
  const Graph prepared = prepare_for_deployment(inputs.graph, inputs.preprocessing);

  Study study(command.out, study_settings(inputs, prepared, command.threads_per_trial));
  if (command.retry_failed) study.retry_failed();
  ProcessRunner runner({.kind = "assess",
                        .context = context,
                        .threads_per_trial = command.threads_per_trial,
                        .threads = command.common.threads,
                        .logs = fs::absolute(command.out) / "logs"});
  if (study.note("importance").is_null()) study.put_note("importance", assess_importance(prepared, inputs.train));
  if (study.note("top1_float").is_null()) {
    EvaluateOptions evaluation;
    evaluation.threads = command.common.threads;
    study.put_note("top1_float", evaluate(inputs.graph, inputs.test, inputs.preprocessing, evaluation).top1);
  }
  const std::vector<double> importance = study.note("importance");
  std::function<void(const std::string&)> report;
  if (::isatty(STDERR_FILENO) == 1) report = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  const AssessResult result =
      assess(prepared, importance, study.note("top1_float"), command.options, study, runner, report);

  const Pricer pricer(load_target(command.target), Optimize::speed, inputs.train, inputs.test, {}, inputs.graph.name,
                      false);
  std::vector<DeployablePlan> plans;
  for (const AssessBudget& budget : result.budgets) {
    plans.push_back(deployable_plan(prepared, importance, *budget.optimum, budget.budget_bytes, pricer));
    write_file(fs::path(command.out) / plan_name(budget), to_toml(plans.back().plan));
  }

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ordered_json json = result_json(command, result, study, inputs.test.size(), seconds);
  for (std::size_t i = 0; i < plans.size(); ++i)
    json["budgets"][i]["deployable"] = {{"plan", plan_name(result.budgets[i])},
                                        {"weights_bytes", plans[i].weights_bytes},
                                        {"arena_bytes", plans[i].arena_bytes},
                                        {"fits", plans[i].memory_bytes() <= result.budgets[i].budget_bytes}};
  draw_points(command, result);
  draw_plans(command.out, "plans", plans_of(result, prepared, importance));
  write_file(fs::path(command.out) / "summary.txt", summary(command, result, plans));
  write_file(fs::path(command.out) / "result.json", json.dump(2) + "\n");
  if (command.common.json) {
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}", summary(command, result, plans));
  }
}

TrialFunction make_assess_trials(const nlohmann::json& context, int threads) {
  Inputs inputs = load(context);
  auto trials = std::make_shared<AssessTrials>(inputs.graph, inputs.preprocessing, std::move(inputs.train),
                                               std::move(inputs.test), threads);
  return [trials](const TrialSpec& spec, const fs::path& folder) { return trials->run(spec, folder); };
}

}  // namespace trimtab::cli
