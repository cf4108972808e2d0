#include "assess/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/file.h"
#include "base/units.h"
#include "measure/score_json.h"
#include "report/memory_accuracy.h"
#include "report/plan_picture.h"
#include "report/report.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string describe_filters(const KeptFilters& filters) {
  if (filters.empty()) return "all filters";
  std::string text;
  for (const auto& [name, count] : filters) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  return text;
}

Measure measure_of(const AssessResult& result) { return measures_of(result.task).at(0); }

/// By how much a budget's restricted point is worse than its optimum.
double restriction_loss(Measure measure, const AssessBudget& budget) {
  return loss_against(measure, budget.optimum->score, budget.restricted->score);
}

ordered_json json_of(const AssessPoint& point, const std::string& key) {
  ordered_json object = {{"bits", point.bits},
                         {"filters", point.filters},
                         {"memory_bytes", point.memory_bytes},
                         {"weights", point.numbers.weights},
                         {"activations", point.numbers.activations},
                         {key, point.score},
                         {"round", point.round + 1},
                         {"trial", point.trial},
                         {"folder", point.folder}};
  if (point.repeated.size() > 1) {
    const auto count = static_cast<double>(point.repeated.size());
    const double mean = std::accumulate(point.repeated.begin(), point.repeated.end(), 0.0) / count;
    double squares = 0;
    for (const double score : point.repeated) squares += (score - mean) * (score - mean);
    object[key + "_seeds"] = point.repeated;
    object[key + "_mean"] = mean;
    object[key + "_deviation"] = std::sqrt(squares / (count - 1));
  }
  return object;
}

ordered_json json_of(const AssessBudget& budget, Measure measure) {
  const std::string key = info_of(measure).key;
  ordered_json object = {{"budget_bytes", budget.budget_bytes}};
  if (budget.optimum) object["optimum"] = json_of(*budget.optimum, key);
  if (budget.restricted) {
    object["restricted"] = json_of(*budget.restricted, key);
    object["restricted"]["loss"] = restriction_loss(measure, budget);
  }
  object["by_bits"] = ordered_json::array();
  for (const AssessPoint& point : budget.by_bits)
    object["by_bits"].push_back({{"bits", point.bits}, {key, point.score}, {"filters", point.filters}});
  return object;
}

ordered_json to_json(const AssessRun& run, const AssessOptions& options, const AssessResult& result,
                     const std::vector<DeployablePlan>& plans, const Study& study) {
  std::vector<std::string> rounds;
  for (const AssessRound& round : options.rounds) rounds.push_back(to_string(round));
  ordered_json object = {{"command", "assess"},
                         {"command_line", run.command_line},
                         {"model", run.model},
                         {"data", run.data},
                         {"samples", run.test_samples},
                         {"task", to_json(result.task)},
                         {fmt::format("{}_float", info_of(measure_of(result)).key), result.score_float},
                         {"weights", result.numbers.weights},
                         {"activations", result.numbers.activations},
                         {"rounds", rounds},
                         {"restricted_bits", options.restricted_bits}};
  object["budgets"] = ordered_json::array();
  for (const AssessBudget& budget : result.budgets) object["budgets"].push_back(json_of(budget, measure_of(result)));
  for (std::size_t i = 0; i < plans.size(); ++i)
    object["budgets"][i]["deployable"] = {{"plan", plan_name(result.budgets[i])},
                                          {"weights_bytes", plans[i].weights_bytes},
                                          {"arena_bytes", plans[i].arena_bytes},
                                          {"fits", plans[i].memory_bytes() <= result.budgets[i].budget_bytes}};
  double trial_seconds = 0;
  std::int64_t done = 0;
  for (const Trial& trial : study.trials()) {
    trial_seconds += trial.wall_s;
    done += trial.state == TrialState::done ? 1 : 0;
  }
  object["trials"] = {{"done", done}, {"failed", result.failed}};
  object["trial_s"] = trial_seconds;
  object["warnings"] = run.warnings;
  object["seed"] = options.seed;
  object["wall_s"] = run.wall_s;
  object["version"] = TRIMTAB_VERSION;
  return object;
}

/// `plans`: by budget.
std::string summarize(const AssessRun& run, const AssessResult& result, const std::vector<DeployablePlan>& plans) {
  const Measure measure = measure_of(result);
  const std::string name = info_of(measure).name;
  std::string text = fmt::format(
      "{}: {} weights and biases, {} activations counted; float {} {}\n\n"
      "{:>9}  {:>4} {:>7}  {:>10} {:>7} {:>6}  filters of the optimum\n",
      fs::path(run.model).filename().string(), format_count(result.numbers.weights),
      format_count(result.numbers.activations), name, format_value(measure, result.score_float), "budget", "bits", name,
      "restricted", name, "loss");
  const auto number = [&](double value) {
    return info_of(measure).digits < 0 ? fmt::format("{:.3g}", value) : fmt::format("{:.2f}", value);
  };
  for (const AssessBudget& budget : result.budgets) {
    const AssessPoint& optimum = *budget.optimum;
    const std::string other =
        budget.restricted ? fmt::format("{:>10} {:>7} {:>6}", budget.restricted->bits, number(budget.restricted->score),
                                        number(restriction_loss(measure, budget)))
                          : fmt::format("{:>10} {:>7} {:>6}", "none", "", "");
    text += fmt::format("{:>9}  {:>4} {:>7}  {}  {}\n", format_bytes(budget.budget_bytes), optimum.bits,
                        number(optimum.score), other, describe_filters(optimum.filters));
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
    plan.title = fmt::format("{}: {} bits, {} {}", format_bytes(budget.budget_bytes), point.bits,
                             info_of(measure_of(result)).name, format_value(measure_of(result), point.score));
    const Graph pruned = prune_to(prepared, groups, importance, point.filters);
    for (const Node& node : pruned.nodes) {
      if (weight_of(node.op) == nullptr) continue;
      plan.layers.push_back(
          {node.name, pruned.shape_of(node.output)[0], prepared.shape_of(node.output)[0], point.bits, point.bits});
    }
    plans.push_back(plan);
  }
  return plans;
}

MapAxis axis_of(Measure measure) {
  const MeasureInfo& info = info_of(measure);
  const bool percent = std::string_view(info.unit) == "%";
  return {info.key, percent ? fmt::format("{}, %", info.name) : info.name,
          percent ? fmt::format("points of {}", info.name) : info.name};
}

void draw_points(const AssessRun& run, const AssessResult& result, const fs::path& folder) {
  std::vector<MapPoint> points;
  for (const AssessPoint& point : result.map)
    points.push_back({family_of(point.bits), fmt::format("{} bits, {}", point.bits, describe_filters(point.filters)),
                      static_cast<double>(point.memory_bytes), point.score});
  std::stable_sort(points.begin(), points.end(),
                   [](const MapPoint& a, const MapPoint& b) { return a.series < b.series; });
  MapLine optimum{"optimum", {}, {}};
  MapLine restricted{"8 or 16 bits only", {}, {}};
  for (const AssessBudget& budget : result.budgets) {
    optimum.memory_bytes.push_back(static_cast<double>(budget.budget_bytes));
    optimum.value.push_back(budget.optimum->score);
    restricted.memory_bytes.push_back(static_cast<double>(budget.budget_bytes));
    restricted.value.push_back(budget.restricted ? budget.restricted->score : std::nan(""));
  }
  draw_memory_accuracy(folder, "map", fmt::format("{}: accuracy over memory", fs::path(run.model).stem().string()),
                       points, {optimum, restricted}, 0, axis_of(measure_of(result)));
}

}  // namespace

std::string to_string(const AssessRound& round) {
  const std::string samples = fmt::format("{}+{}", round.recovery_samples, round.training_samples);
  return round.keep > 0 ? fmt::format("{}:{}", samples, round.keep) : samples;
}

std::string plan_name(const AssessBudget& budget) { return fmt::format("plan-{}.toml", budget.budget_bytes); }

Result describe(const AssessRun& run, const AssessOptions& options, const AssessResult& result,
                const std::vector<DeployablePlan>& plans, const Study& study) {
  return {to_json(run, options, result, plans, study), summarize(run, result, plans)};
}

void write_result(const Result& described, const AssessRun& run, const AssessResult& result,
                  const std::vector<DeployablePlan>& plans, const Graph& prepared,
                  const std::vector<double>& importance, const fs::path& folder) {
  for (std::size_t i = 0; i < plans.size(); ++i)
    write_file(folder / plan_name(result.budgets[i]), to_toml(plans[i].plan));
  draw_points(run, result, folder);
  draw_plans(folder, "plans", plans_of(result, prepared, importance));
  write_result(described, folder);
  write_report(folder);
}

}  // namespace trimtab
