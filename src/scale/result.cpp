#include "scale/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/index.h"
#include "base/units.h"
#include "report/plot.h"

namespace trimtab {
namespace {

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
    const bool weighted = nth(result.network.weights, result.layers[l].node).has_value();
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

/// Losses, in percent points of top-1, for which result.json names the point to take.
constexpr double offered_losses[] = {0.5, 1, 1.5, 2, 3};
/// Likewise savings, in percent of the energy at 8x8 bits.
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
}

}  // namespace

nlohmann::ordered_json result_json(const ScaleRun& run, const ScaleResult& result, double seconds) {
  nlohmann::ordered_json json = {{"model", run.model},
                                 {"data", run.data},
                                 {"target", table_json(run.options.table)},
                                 {"energy_8x8", energy_json(result.full)},
                                 {"epochs", run.epochs},
                                 {"weights_bytes", weights_bytes(result.program)}};
  if (!result.clean_up.empty()) json["clean_up"] = result.clean_up;
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
  if (result.deployment.has_value()) add_deployment(json, run.options, *result.deployment);
  json["warnings"] = result.warnings;
  json["seed"] = run.seed;
  json["wall_s"] = seconds;
  json["version"] = TRIMTAB_VERSION;
  return json;
}

void draw_levels(const ScaleResult& result, const std::filesystem::path& path) {
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

std::string summary(const ScaleRun& run, const ScaleResult& result) {
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
    text += fmt::format("verified      {} samples at {} points on the emulated {}: {} numbers differ from the host's\n",
                        deployment->samples, deployment->point_instructions.size(), run.options.target->emulated_board,
                        deployment->mismatches);
  }
  return text;
}

}  // namespace trimtab
