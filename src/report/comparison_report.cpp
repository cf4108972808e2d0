#include "report/comparison_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "report/chart.h"
#include "report/run_sections.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

/// A figure that results may have.
struct Figure {
  const char* name;
  const char* key;
  std::string (*text)(double);
  bool small_is_good;
};

std::string bytes(double value) { return format_bytes(std::llround(value)); }
std::string milliseconds(double value) { return fmt::format("{:.4g} ms", value); }
std::string decibel(double value) { return fmt::format("{:.1f} dB", value); }

constexpr Figure figures[] = {
    {"flash", "flash_bytes", bytes, true},
    {"RAM", "ram_bytes", bytes, true},
    {"weights", "weights_bytes", bytes, true},
    {"instructions", "instructions", number_text, true},
    {"latency", "latency_expected_ms", milliseconds, true},
    {"SQNR", "sqnr_db", decibel, false},
};

std::string name_of_folder(const FinishedFolder& folder) {
  std::string name = folder.path.filename().string();
  return name.empty() ? folder.path.parent_path().filename().string() : name;
}

/// Quality over a figure, one point for each folder that has both.
Markup quality_over(const std::vector<FinishedFolder>& folders, const FirstMeasure& measure, const std::string& key,
                    const std::string& label, double unit) {
  Chart chart{label, measure.name + (measure.unit.empty() ? "" : ", " + measure.unit), {}};
  std::size_t points = 0;
  for (const FinishedFolder& folder : folders) {
    Series own{name_of_folder(folder), {}, {}, SeriesForm::points, {}, {}, {}};
    const auto x = number(folder.result, key);
    const auto y = number(folder.result, measure.key);
    if (x && y && first_measure(folder.result).key == measure.key) {
      own.x.push_back(*x / unit);
      own.y.push_back(*y);
      ++points;
    }
    chart.series.push_back(own);
  }
  return points > 1 ? figure(chart_picture(chart)) : Markup();
}

/// The layers whose bits or filters differ, by layer name.
Markup plans_table(const std::vector<FinishedFolder>& folders) {
  std::vector<std::string> names;
  for (const FinishedFolder& folder : folders) {
    for (const Facts& layer : list(folder.result, "plan")) {
      const std::string name = words(layer, "layer");
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  if (names.empty()) return {};
  std::vector<Column> columns{{"layer"}};
  for (const FinishedFolder& folder : folders) columns.push_back({name_of_folder(folder), false, "weights, output"});
  Table table(columns);
  for (const std::string& name : names) {
    std::vector<Cell> cells{{element("span", {{"class", "name"}}, name)}};
    for (const FinishedFolder& folder : folders) {
      Markup content;
      for (const Facts& layer : list(folder.result, "plan")) {
        if (words(layer, "layer") != name) continue;
        content = bits(bit_width(layer, "weight_bits")) + " " + bits(bit_width(layer, "activation_bits"));
        if (const double filters = number_or(layer, "filters", 0); filters > 0)
          content += soft(fmt::format(" {:.0f} filters", filters));
      }
      cells.push_back({content});
    }
    table.add(cells, name);
  }
  return table.html();
}

}  // namespace

Page comparison_report(const std::vector<FinishedFolder>& folders) {
  Page page;
  page.title = fmt::format("{} results side by side", folders.size());
  const FirstMeasure measure = first_measure(folders.front().result);
  std::vector<Column> columns{{"folder"}, {"command"}, {"model"}, {"target"}, {measure.name, true}, {"float", true}};
  std::vector<const Figure*> shown;
  for (const Figure& candidate : figures) {
    const bool any = std::ranges::any_of(
        folders, [&](const FinishedFolder& folder) { return number(folder.result, candidate.key).has_value(); });
    if (!any) continue;
    shown.push_back(&candidate);
    columns.push_back({candidate.name, true});
  }
  Table table(columns, "results");
  for (const FinishedFolder& folder : folders) {
    const Facts& result = folder.result;
    const FirstMeasure own = first_measure(result);
    const auto value = number(result, own.key);
    const auto before = number(result, own.key + "_float");
    std::vector<Cell> cells{{element("span", {{"class", "name"}}, name_of_folder(folder))},
                            {words(result, "command")},
                            {model_name(result)},
                            {words(result, "target")},
                            {measure_text(value, own), value},
                            {measure_text(before, own), before}};
    for (const Figure* candidate : shown) {
      const auto number_of = number(result, candidate->key);
      double best = NAN;
      for (const FinishedFolder& other : folders) {
        const auto its = number(other.result, candidate->key);
        if (its && (std::isnan(best) || (candidate->small_is_good ? *its < best : *its > best))) best = *its;
      }
      if (!number_of) {
        cells.push_back({Markup()});
        continue;
      }
      const Markup text = candidate->text(*number_of);
      cells.push_back({*number_of == best ? element("strong", {{"class", "good"}}, text) : text, number_of});
    }
    table.add(cells);
  }
  page.answer = table.html();
  page.add("flash", "Quality over flash", quality_over(folders, measure, "flash_bytes", "flash, KB", 1024));
  page.add("ram", "Quality over RAM", quality_over(folders, measure, "ram_bytes", "RAM, KB", 1024));
  page.add("time", "Quality over time",
           quality_over(folders, measure, "latency_expected_ms", "estimated latency, ms", 1));
  page.add("plans", "The plans", plans_table(folders));
  page.foot = "trimtab " TRIMTAB_VERSION ". Green is the best of a column.";
  return page;
}

}  // namespace trimtab
