#include "emit/board/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "measure/score_json.h"

namespace trimtab {
namespace {

std::int64_t rounded(double number) { return std::llround(number); }

nlohmann::ordered_json layers_of(const Validation& validation, const ValidationRun& run, const Program& program) {
  auto layers = nlohmann::ordered_json::array();
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    nlohmann::ordered_json layer = {{"layer", program.steps[s].name}};
    if (!validation.layer_cycles.empty()) layer["cycles"] = rounded(validation.layer_cycles[s]);
    if (!run.costs.empty() && run.costs[s].cycles) add_cycles(layer, *run.costs[s].cycles);
    layers.push_back(std::move(layer));
  }
  return layers;
}

nlohmann::ordered_json to_json(const Validation& validation, const ValidationRun& run, const Program& program) {
  nlohmann::ordered_json json = {{"out", run.out}, {"port", run.port}, {"baud", run.baud}, {"data", run.data}};
  json["point"] = run.point;
  json["task"] = to_json(run.task);
  json["samples"] = validation.samples;
  add_score(json, validation.score);
  json["differing_samples"] = validation.differing_samples;
  json["differing_numbers"] = validation.differing_numbers;
  if (validation.first_differing) json["first_differing_sample"] = *validation.first_differing;
  if (validation.cycles) {
    json["cycles"] = rounded(validation.cycles->mean);
    json["cycles_least"] = validation.cycles->least;
    json["cycles_most"] = validation.cycles->most;
  }
  if (const auto estimate = sum_cycles(run.costs)) add_cycles(json, *estimate);
  json["layers"] = layers_of(validation, run, program);
  if (run.target) json["target"] = run.target->name;
  json["repeated_requests"] = validation.repeated;
  json["model_hash"] = validation.board.hash;
  json["warnings"] = run.warnings;
  json["version"] = TRIMTAB_VERSION;
  return json;
}

std::string count_or_none(std::optional<double> count) { return count ? format_count(rounded(*count)) : "-"; }

/// Board and estimate side by side, by layer.
std::string table(const Validation& validation, const ValidationRun& run, const Program& program) {
  std::size_t width = 5;
  for (const Step& step : program.steps) width = std::max(width, step.name.size());
  constexpr auto row = "{:<{}}  {:>15}  {:>15}\n";
  std::string text = "\n" + fmt::format(row, "layer", width, "cycles, board", "cycles, estimate");
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    std::optional<double> board;
    std::optional<double> estimate;
    if (!validation.layer_cycles.empty()) board = validation.layer_cycles[s];
    if (!run.costs.empty() && run.costs[s].cycles) estimate = run.costs[s].cycles->expected;
    text += fmt::format(row, program.steps[s].name, width, count_or_none(board), count_or_none(estimate));
  }
  return text;
}

}  // namespace

Result describe(const Validation& validation, const ValidationRun& run, const Program& program) {
  Result result;
  result.json = to_json(validation, run, program);
  std::string& text = result.text;
  text = fmt::format("{} on the board at {}\n\n", program.name, run.port);
  text += fmt::format("answers       {} of {} samples\n", summary(validation.score), validation.samples);
  text += validation.differing_samples == 0
              ? std::string("bits          all as on this machine\n")
              : fmt::format("bits          {} samples differ from this machine's in {} numbers, sample {} first\n",
                            validation.differing_samples, validation.differing_numbers, *validation.first_differing);
  if (validation.cycles) {
    text += fmt::format("cycles        {} per inference, {} to {}\n", format_count(rounded(validation.cycles->mean)),
                        format_count(validation.cycles->least), format_count(validation.cycles->most));
  } else {
    text += "cycles        the board has no counter\n";
  }
  if (const auto estimate = sum_cycles(run.costs)) {
    text += fmt::format("estimate      {} cycles, {} to {}\n", format_count(rounded(estimate->expected)),
                        format_count(rounded(estimate->least)), format_count(rounded(estimate->most)));
  }
  text += fmt::format("line          {} requests were sent again\n", validation.repeated);
  if (!validation.layer_cycles.empty()) text += table(validation, run, program);
  return result;
}

}  // namespace trimtab
