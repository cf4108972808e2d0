#include "report/run_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "report/widgets.h"

namespace trimtab {

std::string model_name(const Facts& result) {
  const std::string model = words(result, "model");
  const std::size_t folder = model.find_last_of('/');
  const std::string file = folder == std::string::npos ? model : model.substr(folder + 1);
  return file.substr(0, file.find_last_of('.'));
}

FirstMeasure first_measure(const Facts& result) {
  const Facts& task = fact(result, "task");
  FirstMeasure measure;
  if (const std::string key = words(task, "measure"); !key.empty()) {
    measure.key = measure.name = key;
    measure.unit = words(task, "unit");
    measure.larger_is_better = fact(task, "larger_is_better") != Facts(false);
    std::ranges::replace(measure.name, '_', ' ');
    if (key == "top1") measure.name = "top-1";
  }
  return measure;
}

std::string measure_text(const std::optional<double>& value, const FirstMeasure& measure) {
  if (!value) return "";
  const std::string number = measure.unit.empty() ? fmt::format("{:.4g}", *value) : fmt::format("{:.2f}", *value);
  return measure.unit.empty() ? number : number + " " + measure.unit;
}

Markup warnings_of(const Facts& result) {
  Markup notes;
  for (const Facts& warning : list(result, "warnings")) {
    if (warning.is_string())
      notes += element("div", {{"class", "note"}}, Markup("Warning: ") + warning.get<std::string>());
  }
  return notes;
}

Markup repeat_section(const Facts& result, const Facts& details) {
  std::vector<std::pair<std::string, std::string>> facts;
  const auto add = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) facts.emplace_back(name, value);
  };
  add("model", words(result, "model"));
  add("data", words(result, "data"));
  if (const auto samples = whole(result, "samples")) add("samples measured", format_count(*samples));
  const Facts& task = fact(result, "task");
  add("task", task.is_object() ? fmt::format("{}: {}", words(task, "name"), words(task, "reason")) : std::string());
  const Facts& target = fact(details, "target");
  add("target", words(target, "description"));
  if (const auto clock = number(target, "clock_hz")) add("clock", format_frequency(*clock));
  if (const auto epochs = number(result, "epochs")) add("epochs of training", number_text(*epochs));
  add("clean-up", words(result, "clean_up"));
  std::string left_out;
  for (const Facts& layer : list(result, "left_out")) {
    if (layer.is_string()) left_out += (left_out.empty() ? "" : ", ") + layer.get<std::string>();
  }
  add("left out", left_out);
  if (const auto seed = number(result, "seed")) add("seed", fmt::format("{:.0f}", *seed));
  if (const auto seconds = number(result, "wall_s")) add("took", format_duration(*seconds));
  const std::string command = words(result, "command_line");
  return (command.empty() ? Markup() : element("pre", {}, command)) + facts_list(facts);
}

std::string foot_of(const Facts& result) {
  const std::string version = words(result, "version");
  return fmt::format("trimtab{}. All numbers are those of result.json and details.json beside this file.",
                     version.empty() ? "" : " " + version);
}

}  // namespace trimtab
