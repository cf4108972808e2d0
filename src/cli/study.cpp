#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/json_text.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/output.h"
#include "report/memory_accuracy.h"
#include "study/study.h"
#include "study/summary.h"

namespace trimtab::cli {
namespace {

using nlohmann::ordered_json;

struct StudyCommand {
  std::string study;
  bool json = false;
  bool trials = false;
  std::string out;
};

ordered_json json_of(const Trial& trial) {
  ordered_json json = {
      {"id", trial.id},           {"stage", trial.stage},           {"settings", trial.spec.settings},
      {"seed", trial.spec.seed},  {"state", name_of(trial.state)},  {"attempts", trial.attempts},
      {"metrics", trial.metrics}, {"wall_s", trial.wall_s},         {"owner", trial.owner},
      {"folder", trial.folder},   {"started_at", trial.started_at}, {"finished_at", trial.finished_at}};
  if (!trial.reason.empty()) json["reason"] = trial.reason;
  return json;
}

ordered_json json_of(const std::vector<Trial>& trials) {
  ordered_json json = ordered_json::array();
  for (const Trial& trial : trials) json.push_back(json_of(trial));
  return json;
}

void show_json(const StudyCommand& command, const StudyView& view, const StudySummary& summary) {
  ordered_json json = {{"study", command.study},
                       {"working", view.owned},
                       {"trials",
                        {{"waiting", summary.waiting},
                         {"running", summary.running},
                         {"done", summary.done},
                         {"failed", summary.failed},
                         {"planned", summary.planned}}},
                       {"trial_s", summary.trial_s},
                       {"value", summary.value},
                       {"cost", summary.cost},
                       {"best", summary.best.empty() ? ordered_json() : json_of(summary.best[0])},
                       {"front", json_of(summary.front)},
                       {"settings", view.settings},
                       {"version", TRIMTAB_VERSION}};
  if (command.trials) json["all"] = json_of(view.trials);
  print_json(json);
}

/// "bits 4, filters 16 32 32": the settings that tell one trial from another.
std::string describe(const nlohmann::json& settings) {
  std::string text;
  for (const auto& [name, value] : settings.items()) {
    const std::string word = value.is_string() ? value.get<std::string>() : json_text(value);
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", name, word.size() > 60 ? word.substr(0, 57) + "..." : word);
  }
  return text;
}

/// Percents with two places; errors, which may be tiny, with four digits.
std::string text_of_value(const StudySummary& summary, const Trial& trial) {
  const double value = trial.metrics.at(summary.value).get<double>();
  return summary.value_is_small ? fmt::format("{:.4g}", value) : fmt::format("{:.2f}", value);
}

void show_text(const StudyCommand& command, const StudyView& view, const StudySummary& summary) {
  const std::int64_t left = summary.waiting + summary.running;
  print_text("{}: {} trials done, {} running, {} waiting, {} failed{}; {}\n", command.study, summary.done,
             summary.running, summary.waiting, summary.failed,
             summary.planned > 0 ? fmt::format(" (about {} planned)", summary.planned) : std::string{},
             view.owned ? "a process is working on it"
             : left > 0 ? "nobody is working on it: the command that made it continues it"
                        : "nobody is working on it");
  if (summary.done > 0) {
    print_text("{} in finished trials, {} each\n", format_duration(summary.trial_s),
               format_duration(summary.trial_s / static_cast<double>(summary.done)));
  }
  if (!summary.best.empty()) {
    const Trial& best = summary.best[0];
    print_text("best so far: {} {}, trial {} ({})\n", summary.value, text_of_value(summary, best), best.id,
               describe(best.spec.settings));
  }
  if (!summary.front.empty()) print_text("\nPareto front\n{:>14} {:>8}  trial\n", summary.cost, summary.value);
  for (const Trial& trial : summary.front) {
    print_text("{:>14} {:>8}  {:>5}  {}\n", trial.metrics.at(summary.cost).get<double>(), text_of_value(summary, trial),
               trial.id, describe(trial.spec.settings));
  }
  for (const Trial& trial : view.trials) {
    if (trial.state == TrialState::failed) print_text("\ntrial {} failed: {}\n", trial.id, trial.reason);
  }
}

/// All finished trials and their front as a picture.
void draw_trials(const StudyCommand& command, const StudyView& view, const StudySummary& summary) {
  if (summary.front.empty())
    throw bad_input("{} has no finished trial with {} and {} to draw", command.study, summary.value, summary.cost);
  std::vector<MapPoint> points;
  for (const Trial& trial : view.trials) {
    if (trial.state == TrialState::done && has_number(trial.metrics, summary.cost) &&
        has_number(trial.metrics, summary.value))
      points.push_back({trial.stage.empty() ? "trials" : trial.stage, fmt::format("trial {}", trial.id),
                        trial.metrics.at(summary.cost).get<double>(), trial.metrics.at(summary.value).get<double>()});
  }
  MapLine front{"Pareto front", {}, {}};
  for (const Trial& trial : summary.front) {
    front.memory_bytes.push_back(trial.metrics.at(summary.cost).get<double>());
    front.value.push_back(trial.metrics.at(summary.value).get<double>());
  }
  draw_memory_accuracy(command.out, "study", command.study + ": accuracy over memory", points, {front}, -1,
                       summary.value == "top1" ? MapAxis{} : MapAxis{summary.value, summary.value, "accuracy"});
}

}  // namespace

void add_study(CLI::App& app) {
  auto command = std::make_shared<StudyCommand>();
  CLI::App* study = app.add_subcommand("study", "show how far a search is, its best trial and its Pareto front");
  study->add_option("STUDY", command->study, "folder of a search (fit --search, assess), running or not")->required();
  add_json_flag(*study, command->json);
  study->add_flag("--trials", command->trials, "with --json: list all trials, too");
  add_out_option(*study, command->out);
  study->footer("Example:\n  trimtab study out/ -o plots/");
  study->callback([command] {
    const StudyView view = read_study(command->study);
    const StudySummary summary = summarize(view);
    if (!command->out.empty()) draw_trials(*command, view, summary);
    if (command->json) {
      show_json(*command, view, summary);
    } else {
      show_text(*command, view, summary);
    }
  });
}

}  // namespace trimtab::cli
