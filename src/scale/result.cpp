#include "scale/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/index.h"
#include "base/units.h"
#include "cost/energy.h"
#include "emit/details.h"
#include "measure/score_json.h"
#include "report/plot.h"
#include "scale/point_choice.h"

namespace trimtab {
namespace {

nlohmann::ordered_json score_json(const AnswerScore& answers) {
  nlohmann::ordered_json json;
  add_score(json, answers.score);
  if (answers.classes.has_value()) {
    json["balanced"] = answers.classes->balanced;
    json["majority"] = answers.classes->majority;
  }
  json["samples"] = answers.score.samples;
  return json;
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

nlohmann::ordered_json truncation_json(const Task& task, const TruncationTable& table) {
  const std::string key = info_of(measures_of(task).at(0)).key;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const TruncationRow& row : table.rows) {
    rows.push_back({{"weight_bits", row.weight_bits},
                    {key + "_nested", row.nested},
                    {key + "_twos_complement", row.twos_complement},
                    {key + "_nested_corrected", row.nested_corrected},
                    {key + "_twos_complement_corrected", row.twos_complement_corrected},
                    {key + "_nested_learned", row.nested_learned}});
  }
  return {{key + "_float", table.real}, {"samples", table.samples}, {"rows", rows}};
}

nlohmann::ordered_json point_json(const ScaleResult& result, std::size_t index) {
  const ScalePoint& point = result.points[index];
  nlohmann::ordered_json plan = nlohmann::ordered_json::array();
  for (std::size_t l = 0; l < result.layers.size(); ++l) {
    const bool weighted = nth(result.network.weights, result.layers[l].node).has_value();
    nlohmann::ordered_json layer = {{"layer", result.layers[l].name}};
    if (weighted) layer["weight_bits"] = point.precision[l].weights;
    layer["activation_bits"] = point.precision[l].activations;
    plan.push_back(layer);
  }
  const std::string unit = lost_unit(point_measure(result.task));
  const auto add_lost = [&](nlohmann::ordered_json& json, const std::string& key, const MeanDifference& lost) {
    json[key] = lost.mean;
    if (std::isfinite(lost.half_width)) json[key + "_half_width_95"] = lost.half_width;
  };
  nlohmann::ordered_json measured = nlohmann::ordered_json::array();
  for (std::size_t l = 0; l < result.level_names.size(); ++l) {
    const LevelMeasurement& at = point.measured[l];
    nlohmann::ordered_json own = {
        {"level", result.level_names[l]}, {"tune", score_json(at.tune)}, {"test", score_json(at.test)}};
    add_lost(own, "lost_" + unit, at.lost);
    add_lost(own, "tune_lost_" + unit, at.tune_lost);
    if (at.lost_expected.has_value()) add_lost(own, "lost_" + unit + "_expected", *at.lost_expected);
    measured.push_back(own);
  }
  nlohmann::ordered_json json = {{"point", index},
                                 {"level", result.level_names[point.level]},
                                 {"uniform", point.uniform},
                                 {"energy", energy_json(point.energy)},
                                 {"saved_percent", point.saved_percent},
                                 {result.task.decides() ? "divergence_nats" : "divergence", point.divergence},
                                 {"measured", measured}};
  add_fidelity(json, point.fidelity);
  json["plan"] = plan;
  return json;
}

/// Losses (measure_lost) for which result.json names the point to take, and the one that the summary names.
struct OfferedLosses {
  std::vector<double> all;
  double first;
};

OfferedLosses offered_losses(Measure measure) {
  if (measure == Measure::sqnr_db) return {{0.01, 0.1, 1, 3, 10}, 0.1};  // 40, 30, 20, 15 and 10 dB
  if (!info_of(measure).larger_is_better) return {{1, 2, 5, 10, 20}, 5};
  return {{0.5, 1, 1.5, 2, 3}, 1};
}

/// "at most 1 point", "at most 5 % more MSE", "an SQNR of at least 30 dB".
std::string describe_loss(Measure measure, double lost) {
  if (measure == Measure::sqnr_db) return fmt::format("an SQNR of at least {:.0f} dB", 10 * std::log10(100 / lost));
  if (!info_of(measure).larger_is_better) return fmt::format("at most {:g} % more {}", lost, info_of(measure).name);
  return fmt::format("at most {:g} point{}", lost, lost == 1 ? "" : "s");
}

/// Savings, in percent of the energy at 8x8 bits, for which result.json names the point to take.
constexpr double offered_savings[] = {25, 45, 50, 65};

nlohmann::ordered_json choices_json(const ScaleResult& result) {
  nlohmann::ordered_json choices = nlohmann::ordered_json::array();
  const Measure measure = point_measure(result.task);
  const std::string lost_key = std::string("may_lose_") + lost_unit(measure);
  for (std::size_t l = 0; l < result.level_names.size(); ++l) {
    for (const double lost : offered_losses(measure).all) {
      choices.push_back({{"level", result.level_names[l]}, {lost_key, lost}, {"point", choose_point(result, l, lost)}});
    }
    for (const double saved : offered_savings) {
      const std::optional<std::size_t> point = choose_saving_point(result, l, saved);
      if (!point.has_value()) continue;
      choices.push_back({{"level", result.level_names[l]}, {"saves_percent", saved}, {"point", *point}});
    }
  }
  return choices;
}

/// The names and values of a score, in columns for people.
std::vector<std::pair<std::string, std::string>> columns_of(const AnswerScore& answers) {
  std::vector<std::pair<std::string, std::string>> columns;
  for (const auto& [measure, value] : answers.score.values)
    columns.emplace_back(info_of(measure).name, format_value(measure, value));
  if (answers.classes.has_value()) {
    columns.emplace_back("balanced", format_value(Measure::top1, answers.classes->balanced));
    columns.emplace_back("majority", format_value(Measure::top1, answers.classes->majority));
  }
  return columns;
}

std::string describe_lost(const MeanDifference& lost) {
  return std::isfinite(lost.half_width) ? fmt::format("{:.2f} +- {:.2f}", lost.mean, lost.half_width)
                                        : fmt::format("{:.2f}", lost.mean);
}

std::string points_table(const ScaleResult& result) {
  const auto width = [](const std::string& name) { return std::max<std::size_t>(name.size(), 9); };
  const std::string unit = lost_unit(point_measure(result.task)) == std::string("points") ? "" : " %";
  std::string text = fmt::format("{:<3} {:<16} {:>9} {:>8}", "", "level", "energy uJ", "saved");
  for (const auto& [name, value] : columns_of(result.test_float.front()))
    text += fmt::format(" {:>{}}", name, width(name));
  text += fmt::format(" {:>16}\n", "lost" + unit + " (95 %)");
  for (std::size_t k = 0; k < result.points.size(); ++k) {
    const ScalePoint& point = result.points[k];
    const LevelMeasurement& at = point.measured[point.level];
    text += fmt::format("{:<3} {:<16} {:>9.4g} {:>6.1f} %", k, result.level_names[point.level],
                        point.energy.total() / 1000, point.saved_percent);
    for (const auto& [name, value] : columns_of(at.test)) text += fmt::format(" {:>{}}", value, width(name));
    text += fmt::format(" {:>16}\n", describe_lost(at.lost));
  }
  return text;
}

/// The measurements on the device, and the bounds that they were held against.
void add_deployment(nlohmann::ordered_json& json, const ScaleOptions& options, const Deployment& deployment) {
  const Target& target = *options.target;
  json["flash_bytes"] = deployment.flash_bytes();
  json["ram_bytes"] = deployment.ram_bytes();
  json["stack_bytes"] = deployment.stack_bytes;
  json["arena_bytes"] = deployment.arena_bytes;
  json["text_bytes"] = deployment.image.text;
  json["rodata_bytes"] = deployment.image.rodata;
  json["instructions"] = deployment.instructions();
  json["device"] = {{"target", target.name},
                    {"machine", target.emulated_board},
                    {"samples", deployment.samples},
                    {"points", deployment.point_instructions.size()},
                    {"mismatches", deployment.mismatches},
                    {"instructions", deployment.point_instructions}};
  add_latency(json, target, deployment);
  json["bounds"] = {{"flash_bytes", options.bounds.flash_bytes}, {"ram_bytes", options.bounds.ram_bytes}};
  add_energy(json, target, deployment, options.bounds);
}

}  // namespace

nlohmann::ordered_json result_json(const ScaleRun& run, const ScaleResult& result, double seconds) {
  nlohmann::ordered_json json = {{"command", "scale"},
                                 {"command_line", run.command_line},
                                 {"model", run.model},
                                 {"data", run.data},
                                 {"task", to_json(result.task)},
                                 {"target", table_json(run.options.table)},
                                 {"energy_8x8", energy_json(result.full)},
                                 {"epochs", run.epochs},
                                 {"weights_bytes", weights_bytes(result.program)}};
  if (!result.clean_up.empty()) json["clean_up"] = result.clean_up;
  nlohmann::ordered_json levels = nlohmann::ordered_json::array();
  for (std::size_t l = 0; l < result.level_names.size(); ++l) {
    nlohmann::ordered_json level = {{"level", result.level_names[l]}};
    if (!result.levels.empty()) level["classes"] = result.levels[l].classes.size();
    level["tune_float"] = score_json(result.tune_float[l]);
    level["test_float"] = score_json(result.test_float[l]);
    levels.push_back(level);
  }
  json["levels"] = levels;
  json["points"] = nlohmann::ordered_json::array();
  for (std::size_t k = 0; k < result.points.size(); ++k) json["points"].push_back(point_json(result, k));
  json["choices"] = choices_json(result);
  if (!result.truncation.empty()) json["truncation"] = truncation_json(result.task, result.truncation.front());
  if (result.deployment.has_value()) add_deployment(json, run.options, *result.deployment);
  if (!result.frontier.empty()) json["frontier"] = frontier_json(*run.options.target, result.frontier);
  json["warnings"] = result.warnings;
  json["seed"] = run.seed;
  json["wall_s"] = seconds;
  json["version"] = TRIMTAB_VERSION;
  return json;
}

void draw_levels(const ScaleResult& result, const std::filesystem::path& path) {
  const Measure measure = point_measure(result.task);
  const MeasureInfo& info = info_of(measure);
  Plot plot;
  plot.title = fmt::format("{} over energy, one set of weights", measure == Measure::top1 ? "accuracy" : info.name);
  plot.x_label = "energy of one inference, % of 8x8 bits";
  plot.y_label = fmt::format("{}{}{}, held-back samples", info.name, *info.unit == '\0' ? "" : ", ", info.unit);
  for (std::size_t l = 0; l < result.level_names.size(); ++l) {
    Curve curve;
    curve.title = result.level_names[l];
    for (const ScalePoint& point : result.points) {
      const double value = point.measured[l].test.score.at(measure);
      if (point.level != l || point.uniform || !std::isfinite(value)) continue;
      curve.x.push_back(100 - point.saved_percent);
      curve.y.push_back(value);
    }
    if (!curve.x.empty()) plot.curves.push_back(std::move(curve));
  }
  draw(path, {plot});
}

nlohmann::ordered_json details_json(const ScaleRun& run, const ScaleResult& result) {
  if (!result.deployment.has_value()) return nullptr;
  const Program dearest = program_at(result.program, result.deployment->dearest_point());
  return program_details(dearest, result.schedule, run.options.target, result.costs);
}

std::string summary(const ScaleRun& run, const ScaleResult& result) {
  std::string text = points_table(result);
  const Measure measure = point_measure(result.task);
  const double allowed = offered_losses(measure).first;
  for (std::size_t l = 0; l < result.level_names.size(); ++l) {
    const std::size_t k = choose_point(result, l, allowed);
    text += fmt::format("{} for {}: operating point {}, {:.1f} % saved, {}{} lost\n", result.level_names[l],
                        describe_loss(measure, allowed), k, result.points[k].saved_percent,
                        describe_lost(result.points[k].measured[l].lost),
                        lost_unit(measure) == std::string("points") ? "" : " %");
  }
  const bool interpolated = std::any_of(result.points.begin(), result.points.end(),
                                        [](const ScalePoint& point) { return point.energy.interpolated; });
  if (interpolated) text += "energies of some widths are interpolated between those of the table, as its file allows\n";
  if (!result.clean_up.empty()) text += fmt::format("clean-up      {}\n", result.clean_up);
  if (const auto& deployment = result.deployment) {
    const Bounds& bounds = run.options.bounds;
    text += fmt::format("flash         {} of {}: weights {}, code {}\n", format_bytes(deployment->flash_bytes()),
                        format_bytes(bounds.flash_bytes), format_bytes(weights_bytes(result.program)),
                        format_bytes(deployment->image.text));
    text += fmt::format("RAM           {} of {}: arena {}, stack {}\n", format_bytes(deployment->ram_bytes()),
                        format_bytes(bounds.ram_bytes), format_bytes(deployment->arena_bytes),
                        format_bytes(deployment->stack_bytes));
    text += fmt::format("instructions  {} per inference at most\n", format_count(deployment->instructions()));
    text += fmt::format("latency       {} at most\n", describe_latency(*run.options.target, *deployment));
    text += energy_lines(*run.options.target, *deployment, bounds);
    text += fmt::format("verified      {} samples at {} points on the emulated {}: {} numbers differ from the host's\n",
                        deployment->samples, deployment->point_instructions.size(), run.options.target->emulated_board,
                        deployment->mismatches);
    if (!result.frontier.empty()) text += describe_frontier(*run.options.target, result.frontier);
  }
  return text;
}

}  // namespace trimtab
