#include "report/assess_report.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "base/units.h"
#include "report/chart.h"
#include "report/run_sections.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

std::string kilobytes(double bytes) { return format_bytes(std::llround(std::abs(bytes) < 9e15 ? bytes : 0)); }

std::string filters_text(const Facts& point) {
  const Facts& filters = fact(point, "filters");
  std::string text;
  if (filters.is_object()) {
    for (const auto& [name, count] : filters.items()) {
      if (count.is_number()) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, number_text(count));
    }
  }
  return text.empty() ? "all" : text;
}

Markup map_section(const Facts& result, const Facts& map) {
  const FirstMeasure measure = first_measure(result);
  Chart chart{"memory, KB", fmt::format("{}{}", measure.name, measure.unit.empty() ? "" : ", " + measure.unit), {}};
  chart.height = 400;
  std::map<std::string, std::size_t> families;
  const auto add_line = [&](const std::string& name, const std::string& kind) {
    Series line{name, {}, {}, SeriesForm::steps, {}, {}, {}};
    for (const Facts& budget : list(result, "budgets")) {
      line.x.push_back(number_or(budget, "budget_bytes", std::nan("")) / 1024);
      line.y.push_back(number_or(fact(budget, kind), measure.key, std::nan("")));
    }
    chart.series.push_back(line);
  };
  add_line("optimum of every budget", "optimum");
  add_line("8 or 16 bits only", "restricted");
  for (const Facts& point : list(map, "points")) {
    const std::string family = words(point, "series");
    const auto [found, is_new] = families.emplace(family, chart.series.size());
    if (is_new) chart.series.push_back({family, {}, {}, SeriesForm::points, {}, {}, {}});
    Series& series = chart.series[found->second];
    const auto value = number(point, measure.key);
    series.x.push_back(number_or(point, "memory_bytes", std::nan("")) / 1024);
    series.y.push_back(value.value_or(std::nan("")));
    series.notes.push_back(fmt::format("{}: {}", words(point, "label"), measure_text(value, measure)));
  }
  if (const auto before = number(result, measure.key + "_float"))
    chart.limits.emplace_back(*before, "float " + measure_text(before, measure));
  return figure(chart_picture(chart),
                "Every point is a network that was trained under its bits and filters. Memory counts weights and "
                "activations at their bits.");
}

Markup budgets_section(const Facts& result) {
  const FirstMeasure measure = first_measure(result);
  Table table({{"budget", true},
               {"best bits", true},
               {measure.name, true},
               {"8 or 16 bits", true},
               {measure.name, true},
               {"loses", true, "by the restriction to bits that the cores compute with"},
               {"filters of the optimum"},
               {"as a plan", false, "the deployable plan, and whether it keeps within the budget"}},
              "budgets");
  for (const Facts& budget : list(result, "budgets")) {
    const Facts& best = fact(budget, "optimum");
    const Facts& restricted = fact(budget, "restricted");
    const Facts& plan = fact(budget, "deployable");
    const double bytes = number_or(budget, "budget_bytes", 0);
    const auto loss = number(restricted, "loss");
    table.add(
        {{kilobytes(bytes), bytes},
         {number(best, "bits") ? number_text(*number(best, "bits")) : ""},
         {measure_text(number(best, measure.key), measure), number(best, measure.key)},
         {number(restricted, "bits") ? number_text(*number(restricted, "bits")) : "none fits"},
         {measure_text(number(restricted, measure.key), measure), number(restricted, measure.key)},
         {loss ? element("span", {{"class", *loss > 1 ? "bad" : ""}}, fmt::format("{:.2f}", *loss)) : Markup(), loss},
         {filters_text(best)},
         {element("code", {}, words(plan, "plan")) +
          (fact(plan, "fits") == Facts(false) ? element("span", {{"class", "warn"}}, " larger than the budget")
                                              : Markup())}});
  }
  return table.empty() ? Markup() : table.html();
}

Markup quality_over_bits(const Facts& result) {
  const FirstMeasure measure = first_measure(result);
  Chart chart{"bits of weights and activations", measure.name, {}};
  for (const Facts& budget : list(result, "budgets")) {
    Series series{kilobytes(number_or(budget, "budget_bytes", 0)), {}, {}, SeriesForm::points_and_line, {}, {}, {}};
    for (const Facts& point : list(budget, "by_bits")) {
      series.x.push_back(number_or(point, "bits", std::nan("")));
      series.y.push_back(number_or(point, measure.key, std::nan("")));
    }
    chart.series.push_back(series);
  }
  return figure(chart_picture(chart),
                "One curve for every budget: fewer bits leave room for more filters, until the bits are too few.");
}

}  // namespace

Page assess_report(const Facts& result, const Facts& map) {
  Page page;
  const FirstMeasure measure = first_measure(result);
  const Facts& budgets = list(result, "budgets");
  page.title = model_name(result) + ": quality over memory";
  page.subtitle = fmt::format("{} weights and {} activations counted", number_text(number_or(result, "weights", 0)),
                              number_text(number_or(result, "activations", 0)));
  std::vector<Card> cards;
  for (const Facts& budget : budgets) {
    const Facts& best = fact(budget, "optimum");
    const auto loss = number(fact(budget, "restricted"), "loss");
    cards.push_back({kilobytes(number_or(budget, "budget_bytes", 0)), number_text(number_or(best, "bits", 0)), "bits",
                     std::nullopt,
                     fmt::format("{} {}{}", measure_text(number(best, measure.key), measure), measure.name,
                                 loss ? fmt::format("; 8 or 16 bits lose {:.2f}", *loss) : "")});
  }
  const double failed = number_or(fact(result, "trials"), "failed", 0);
  page.answer = verdict(failed == 0, fmt::format("✓ {} budgets", budgets.size()),
                        fmt::format("{} trials{}; the float network has {} {}.",
                                    number_text(number_or(fact(result, "trials"), "done", 0)),
                                    failed > 0 ? fmt::format(", {} failed", number_text(failed)) : "",
                                    measure_text(number(result, measure.key + "_float"), measure), measure.name)) +
                card_row(cards) + warnings_of(result);
  page.add("map", "Quality over memory", map_section(result, map));
  page.add("budgets", "The optimum of every budget", budgets_section(result));
  page.add("bits", "Quality over bits", quality_over_bits(result));
  page.add("repeat", "Run it again", repeat_section(result, {}));
  page.foot = foot_of(result);
  return page;
}

}  // namespace trimtab
