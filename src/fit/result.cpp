#include "fit/result.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/units.h"
#include "cost/energy.h"
#include "emit/hand_over.h"
#include "fit/details.h"
#include "fit/quantized_onnx.h"
#include "import/onnx.h"
#include "measure/score_json.h"
#include "program/program_file.h"
#include "report/report.h"

namespace trimtab {
namespace {

nlohmann::ordered_json layers_of(const Plan& plan) {
  auto layers = nlohmann::ordered_json::array();
  for (const LayerPlan& layer : plan.layers) {
    layers.push_back({{"layer", layer.layer},
                      {"filters", layer.filters},
                      {"weight_bits", layer.weight_bits},
                      {"activation_bits", layer.activation_bits}});
  }
  return layers;
}

nlohmann::ordered_json search_json(const Task& task, const PlanSearchResult& search) {
  const std::string key = fmt::format("validation_{}", info_of(measures_of(task).at(0)).key);
  auto finalists = nlohmann::ordered_json::array();
  for (const FoundPlan& found : search.finalists) {
    finalists.push_back({{key, found.score}, {"weights_kept", found.share}, {"made_by", found.made_by}});
  }
  return {{"trials", search.trials}, {"epochs", search.epochs}, {"finalists", finalists}};
}

Score without_loss(Score score) {
  std::erase_if(score.values, [](const auto& value) { return value.first == Measure::loss; });
  return score;
}

/// Adds the measurements on the device and the bounds that they were held against.
void add_deployment(nlohmann::ordered_json& json, const FitOptions& options, const Deployment& deployment) {
  const Target& target = *options.target;
  json["target"] = target.name;
  json["flash_bytes"] = deployment.flash_bytes();
  json["ram_bytes"] = deployment.ram_bytes();
  json["stack_bytes"] = deployment.stack_bytes;
  json["arena_bytes"] = deployment.arena_bytes;
  json["text_bytes"] = deployment.image.text;
  json["rodata_bytes"] = deployment.image.rodata;
  json["input"] = name_of(options.input);
  json["instructions"] = deployment.instructions();
  if (deployment.pushes.has_value()) {
    json["longest_push_instructions"] = deployment.pushes->longest;
    json["last_push_instructions"] = deployment.pushes->last;
  }
  json["device"] = {
      {"machine", target.emulated_board}, {"samples", deployment.samples}, {"mismatches", deployment.mismatches}};
  if (deployment.armv6m_samples > 0) json["device"]["armv6m_samples"] = deployment.armv6m_samples;
  add_latency(json, target, deployment);
  const Bounds& bounds = options.bounds;
  json["bounds"] = {{"flash_bytes", bounds.flash_bytes}, {"ram_bytes", bounds.ram_bytes}};
  if (bounds.instructions > 0) json["bounds"]["instructions"] = bounds.instructions;
  if (bounds.latency_ms > 0) json["bounds"]["latency_ms"] = bounds.latency_ms;
  add_energy(json, target, deployment, bounds);
  if (!options.search.has_value()) return;
  const PlanBounds& searched = options.search->plan.bounds;
  if (searched.weights_bytes > 0) json["bounds"]["weights_bytes"] = searched.weights_bytes;
  if (searched.memory_bytes > 0) json["bounds"]["memory_bytes"] = searched.memory_bytes;
}

nlohmann::ordered_json to_json(const FitRun& run, const FitOptions& options, const FitResult& result) {
  nlohmann::ordered_json json = {
      {"command", "fit"}, {"command_line", run.command_line}, {"model", run.model}, {"data", run.data}};
  json["task"] = to_json(result.task);
  add_score(json, result.score);
  add_score(json, without_loss(result.score_float), "_float");
  add_fidelity(json, result.fidelity);
  json["samples"] = result.score.samples;
  if (!result.clean_up.empty()) json["clean_up"] = result.clean_up;
  if (!result.left_out.empty()) json["left_out"] = result.left_out;
  json["weights_bytes"] = weights_bytes(result.program);
  if (result.deployment.has_value()) add_deployment(json, options, *result.deployment);
  if (!result.frontier.empty()) json["frontier"] = frontier_json(*options.target, result.frontier);
  json["plan"] = layers_of(result.program.points.front().plan);
  if (const ZeroPointGain& gain = result.network.zero_points; gain.grids > 0)
    json["zero_points"] = {{"grids", gain.grids}, {"squared_error_lower_by_db", gain.decibels}};
  if (result.search.has_value()) json["search"] = search_json(result.task, *result.search);
  json["epochs"] = options.train ? options.training.training.epochs : 0;
  json["warnings"] = result.warnings;
  json["seed"] = options.training.training.seed;
  json["wall_s"] = run.wall_s;
  json["version"] = TRIMTAB_VERSION;
  return json;
}

/// "top-1         86.58 % of 5000 samples as integers, 86.62 % in float; both agree on 98.84 %", and a line for every
/// further measure of a task other than classification.
std::string describe_answers(const FitResult& result) {
  const auto line = [](const std::string& name, const std::string& rest) {
    return fmt::format("{:<13} {}\n", name, rest);
  };
  const Fidelity& fidelity = result.fidelity;
  const std::int64_t samples = result.score.samples;
  const bool classes = result.task.kind == TaskKind::classification;
  std::string text;
  for (const auto& [measure, value] : result.score.values) {
    if (classes && measure != Measure::top1) continue;
    const bool first = text.empty();
    std::string rest = format_value(measure, value);
    if (first) rest += fmt::format(" of {} samples", samples);
    rest += " as integers";
    if (const auto before = result.score_float.find(measure))
      rest += fmt::format(", {} in float", format_value(measure, *before));
    if (first && fidelity.agreement) rest += fmt::format("; both agree on {:.2f} %", *fidelity.agreement);
    text += line(info_of(measure).name, rest);
  }
  if (text.empty() && fidelity.agreement) {
    text += line("agreement",
                 fmt::format("{:.2f} % of {} samples get the float network's answer", *fidelity.agreement, samples));
  }
  for (const Fidelity::Part& part : fidelity.parts) {
    text += fmt::format("{}: SQNR {}{}\n", part.name,
                        part.sqnr_db ? format_value(Measure::sqnr_db, *part.sqnr_db) : "not defined",
                        part.cosine ? fmt::format(", cosine {:.6f}", *part.cosine) : "");
  }
  if (!classes && fidelity.sqnr_db) {
    text +=
        line("SQNR", fmt::format("{} against the float network{}", format_value(Measure::sqnr_db, *fidelity.sqnr_db),
                                 fidelity.cosine ? fmt::format(", cosine {:.6f}", *fidelity.cosine) : ""));
  }
  return text;
}

std::string describe_pushes(const PushInstructions& pushes, std::int64_t instructions) {
  const auto share = [&](std::int64_t count) {
    return fmt::format("{} ({:.1f} %)", format_count(count), 100.0 * double(count) / double(instructions));
  };
  return fmt::format("pushed rows   the longest push takes {} of them, the last one {}\n", share(pushes.longest),
                     share(pushes.last));
}

std::string summarize(const FitRun& run, const FitOptions& options, const FitResult& result) {
  std::string text = describe_answers(result);
  if (!result.clean_up.empty()) text += fmt::format("clean-up      {}\n", result.clean_up);
  if (const ZeroPointGain& gain = result.network.zero_points; gain.grids > 0) {
    text += fmt::format("zero points   {} grid{}, whose values lose {:.1f} dB less\n", gain.grids,
                        gain.grids == 1 ? "" : "s", gain.decibels);
  }
  if (!result.left_out.empty()) text += fmt::format("left out      {}\n", describe_left_out(result.left_out));
  const std::string model = std::filesystem::path(run.model).filename().string();
  const std::string files =
      "plan.toml             filters and bits of every layer\nprogram.bin           the integer network, for 'trimtab "
      "eval' and "
      "'trimtab inspect'\nquantized.onnx        the same numbers in ONNX, for other runtimes\n";
  if (!result.deployment.has_value()) {
    return fmt::format("{} as integers on this machine\n\n{}weights       {}\n\n{}", model, text,
                       format_bytes(weights_bytes(result.program)), files);
  }
  const Deployment& deployment = *result.deployment;
  const Target& target = *options.target;
  const Bounds& bounds = options.bounds;
  text += fmt::format("flash         {} of {}: weights {}, code {}\n", format_bytes(deployment.flash_bytes()),
                      format_bytes(bounds.flash_bytes), format_bytes(weights_bytes(result.program)),
                      format_bytes(deployment.image.text));
  text += fmt::format("RAM           {} of {}: arena {}, stack {}\n", format_bytes(deployment.ram_bytes()),
                      format_bytes(bounds.ram_bytes), format_bytes(deployment.arena_bytes),
                      format_bytes(deployment.stack_bytes));
  text += fmt::format("instructions  {} per inference\n", format_count(deployment.instructions()));
  if (deployment.pushes.has_value()) text += describe_pushes(*deployment.pushes, deployment.instructions());
  text += fmt::format("latency       {}{}\n", describe_latency(target, deployment),
                      bounds.latency_ms > 0 ? fmt::format(" of {:.2f} ms", bounds.latency_ms) : "");
  text += energy_lines(target, deployment, bounds);
  text += fmt::format("verified      {} samples on the emulated {}: {} numbers differ from the host's\n",
                      deployment.samples, target.emulated_board, deployment.mismatches);
  if (deployment.armv6m_samples > 0) {
    text += fmt::format("              {} of them on the emulated microbit, an Armv6-M\n", deployment.armv6m_samples);
  }
  if (!result.frontier.empty()) text += describe_frontier(target, result.frontier);
  return fmt::format(
      "{} on {} ({})\n\n{}\ndevice/               C++ sources with a C header for your firmware\ndevice/firmware.elf   "
      "the image that was measured and run\n{}",
      model, target.name, target.description, text, files);
}

}  // namespace

Result describe(const FitRun& run, const FitOptions& options, const FitResult& result) {
  return {to_json(run, options, result), summarize(run, options, result)};
}

void write_result(const Result& described, const FitRun& run, const FitOptions& options, const FitResult& result,
                  const std::filesystem::path& folder) {
  save_program(result.program, folder / "program.bin");
  if (!result.frontier.empty()) draw_frontier(*options.target, result.frontier, folder);
  write_file(folder / "plan.toml", to_toml(result.program.points.front().plan));
  write_onnx(result.pruned, folder / "float.onnx");
  write_file(folder / "quantized.onnx", quantized_onnx(result.network));
  if (result.deployment.has_value()) {
    write_hand_over({result.device_name, run.model, result.left_out, described.json, *result.deployment},
                    result.program, *options.target, options.optimize, folder / "device");
  }
  write_file(folder / "details.json", json_text(details_json(options, result)) + "\n");
  write_result(described, folder);
  write_report(folder);
}

}  // namespace trimtab
