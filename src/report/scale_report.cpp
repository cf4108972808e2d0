#include "report/scale_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "report/chart.h"
#include "report/frontier_section.h"
#include "report/program_sections.h"
#include "report/run_sections.h"
#include "report/validation_section.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

/// The measurements of a point at a level; null where there are none.
const Facts& measured_at(const Facts& point, const std::string& level) {
  static const Facts nothing;
  for (const Facts& own : list(point, "measured")) {
    if (words(own, "level") == level) return own;
  }
  return nothing;
}

std::vector<std::string> level_names(const Facts& result) {
  std::vector<std::string> names;
  for (const Facts& level : list(result, "levels")) names.push_back(words(level, "level"));
  return names;
}

/// The key of a loss: "lost_points", or "lost_percent" of tasks whose measure is no percentage.
std::string lost_key(const Facts& result) {
  for (const Facts& point : list(result, "points")) {
    for (const Facts& own : list(point, "measured")) {
      if (number(own, "lost_percent")) return "lost_percent";
    }
  }
  return "lost_points";
}

/// A choice for people: "at most 1 point lost", "at least 45 % saved".
std::string choice_text(const Facts& choice) {
  if (const auto points = number(choice, "may_lose_points")) return fmt::format("at most {:g} points lost", *points);
  if (const auto percent = number(choice, "may_lose_percent")) return fmt::format("at most {:g} % lost", *percent);
  return fmt::format("at least {:g} % saved", number_or(choice, "saves_percent", 0));
}

const Facts& point_of(const Facts& result, const Facts& choice) {
  static const Facts nothing;
  const Facts& points = list(result, "points");
  const double index = number_or(choice, "point", -1);
  return index >= 0 && index < static_cast<double>(points.size()) ? points[static_cast<std::size_t>(index)] : nothing;
}

/// One card for every level: what a loss of at most one point (or 5 %) saves.
std::vector<Card> level_cards(const Facts& result) {
  std::vector<Card> cards;
  const std::string key = lost_key(result);
  for (const Facts& choice : list(result, "choices")) {
    const double may_lose = number_or(choice, key == "lost_points" ? "may_lose_points" : "may_lose_percent", -1);
    const bool shown = key == "lost_points" ? may_lose == 1 : may_lose == 5 || may_lose == 0.1;
    if (!shown) continue;
    const std::string level = words(choice, "level");
    const Facts& point = point_of(result, choice);
    const auto lost = number(measured_at(point, level), key);
    const auto half = number(measured_at(point, level), key + "_half_width_95");
    Card card{fmt::format("{}: energy saved", level), fmt::format("{:.1f}", number_or(point, "saved_percent", 0)), "%",
              std::nullopt, choice_text(choice)};
    if (lost)
      card.more += fmt::format("; measured {:.2f}{}", *lost, half ? fmt::format(" ± {:.2f}", *half) : std::string());
    cards.push_back(card);
  }
  return cards;
}

Markup energy_section(const Facts& result) {
  const FirstMeasure measure = first_measure(result);
  const std::string key = lost_key(result);
  Chart chart{"energy of an inference, % of 8 × 8 bits",
              fmt::format("{}{}, held-back samples", measure.name, measure.unit.empty() ? "" : ", " + measure.unit),
              {}};
  chart.height = 360;
  for (const std::string& level : level_names(result)) {
    Series series{level, {}, {}, SeriesForm::points_and_line, {}, {}, {}};
    std::vector<std::pair<double, const Facts*>> order;
    for (const Facts& point : list(result, "points")) {
      if (words(point, "level") == level && fact(point, "uniform") != Facts(true))
        order.emplace_back(100 - number_or(point, "saved_percent", 0), &point);
    }
    std::ranges::sort(order, {}, [](const auto& entry) { return entry.first; });
    for (const auto& [energy, point] : order) {
      const Facts& own = measured_at(*point, level);
      const auto value = number(fact(own, "test"), measure.key);
      if (!value) continue;
      // the interval is of the loss in points, which has the unit of a percentage
      const double half = key == "lost_points" && measure.unit == "%"
                              ? number_or(own, key + "_half_width_95", std::nan(""))
                              : std::nan("");
      series.x.push_back(energy);
      series.y.push_back(*value);
      series.low.push_back(*value - half);
      series.high.push_back(*value + half);
      series.notes.push_back(fmt::format("point {}, {}: {}, {:.1f} % saved", number_text(number_or(*point, "point", 0)),
                                         level, measure_text(value, measure), 100 - energy));
    }
    chart.series.push_back(series);
  }
  Markup body =
      figure(chart_picture(chart),
             "One curve for every level of abstraction. Bars are 95 % intervals of the loss against the float "
             "network on the same samples.");
  Table choices({{"level"}, {"wanted"}, {"point", true}, {"saved", true}, {"lost on held-back samples", true}});
  for (const Facts& choice : list(result, "choices")) {
    const std::string level = words(choice, "level");
    const Facts& point = point_of(result, choice);
    const auto lost = number(measured_at(point, level), key);
    const auto half = number(measured_at(point, level), key + "_half_width_95");
    choices.add({{level},
                 {choice_text(choice)},
                 {number_text(number_or(choice, "point", 0))},
                 {fmt::format("{:.1f} %", number_or(point, "saved_percent", 0)), number(point, "saved_percent")},
                 {lost ? fmt::format("{:.2f}{}", *lost, half ? fmt::format(" ± {:.2f}", *half) : "") : "", lost}});
  }
  if (!choices.empty())
    body += element("details", {},
                    element("summary", {}, "The point to take, by what may be lost or must be saved") + choices.html());
  return body;
}

Markup points_section(const Facts& result) {
  const FirstMeasure measure = first_measure(result);
  const std::vector<std::string> levels = level_names(result);
  std::vector<Column> columns{{"point", true}, {"found for"}, {"energy, µJ", true}, {"saved", true}};
  for (const std::string& level : levels) columns.push_back({level + " " + measure.name, true});
  columns.push_back({"macs", true, "share of the energy"});
  columns.push_back({"weights", true, "share of the energy"});
  Table table(columns, "points-table");
  for (const Facts& point : list(result, "points")) {
    const Facts& energy = fact(point, "energy");
    const double total = number_or(energy, "total_nj", 0);
    std::vector<Cell> cells{
        {number_text(number_or(point, "point", 0))},
        {fact(point, "uniform") == Facts(true) ? "uniform bits" : words(point, "level")},
        {fmt::format("{:.4g}", total / 1000), total},
        {fmt::format("{:.1f} %", number_or(point, "saved_percent", 0)), number(point, "saved_percent")}};
    for (const std::string& level : levels) {
      const auto value = number(fact(measured_at(point, level), "test"), measure.key);
      cells.push_back({measure_text(value, measure), value});
    }
    for (const char* part : {"macs_nj", "weights_nj"})
      cells.push_back({total > 0 ? percent_text(number_or(energy, part, 0) / total) : "", number_or(energy, part, 0)});
    table.add(cells);
  }
  return table.empty() ? Markup() : table.html();
}

Markup bits_by_layer(const Facts& result) {
  const Facts& points = list(result, "points");
  if (points.empty()) return {};
  std::vector<Column> columns{{"layer", false, "", false}};
  for (const Facts& point : points)
    columns.push_back({number_text(number_or(point, "point", 0)), false,
                       fmt::format("{}, {:.1f} % saved", words(point, "level"), number_or(point, "saved_percent", 0)),
                       false});
  Table table(columns, "bits-table");
  const Facts& first = list(points.front(), "plan");
  for (std::size_t l = 0; l < first.size(); ++l) {
    const std::string name = words(first[l], "layer");
    std::vector<Cell> cells{{element("span", {{"class", "name"}}, name)}};
    for (const Facts& point : points) {
      const Facts& plan = list(point, "plan");
      const Facts& layer = l < plan.size() ? plan[l] : Facts();
      Markup tiles;
      tiles += bits(bit_width(layer, "weight_bits"));
      if (const int activations = bit_width(layer, "activation_bits"); activations > 0)
        tiles += element("span", {{"class", "half"}}, bits(activations));
      cells.push_back({tiles, std::nullopt, "pair"});
    }
    table.add(cells, name);
  }
  return paragraph(
             soft("One column for every operating point. Left the bits of the weights, right, smaller, those of the "
                  "output.")) +
         table.html();
}

Markup truncation_section(const Facts& result) {
  const Facts& rows = list(fact(result, "truncation"), "rows");
  if (rows.empty()) return {};
  const FirstMeasure measure = first_measure(result);
  Chart chart{"bits that are kept of 8", fmt::format("{}, {}", measure.name, measure.unit), {}};
  for (const auto& [suffix, name] :
       {std::pair{"_twos_complement", "two's complement, bits dropped"},
        std::pair{"_twos_complement_corrected", "two's complement, biases corrected"},
        std::pair{"_nested", "nested grid"}, std::pair{"_nested_corrected", "nested grid, biases corrected"},
        std::pair{"_nested_learned", "nested grid, learned rounding"}}) {
    Series series{name, {}, {}, SeriesForm::points_and_line, {}, {}, {}};
    for (const Facts& row : rows) {
      series.x.push_back(number_or(row, "weight_bits", std::nan("")));
      series.y.push_back(number_or(row, measure.key + suffix, std::nan("")));
    }
    chart.series.push_back(series);
  }
  return figure(chart_picture(chart), "Dropping bits of one stored set of weights, without training.");
}

}  // namespace

Page scale_report(const Facts& result, const Facts& details, const Facts& validation) {
  Page page;
  const Facts& table = fact(result, "target");
  const std::size_t points = list(result, "points").size();
  page.title = fmt::format("{}: {} operating points of one weight set", model_name(result), points);
  page.subtitle = words(table, "description");
  std::vector<Card> cards = level_cards(result);
  std::string sentence = fmt::format("{} of weights, stored once, serve all points; a change of point loads nothing.",
                                     format_bytes(whole(result, "weights_bytes").value_or(0)));
  if (fact(table, "relative") == Facts(true)) sentence += " Energies are relative: only their ratios mean something.";
  for (const Card& card : cost_cards(result)) cards.push_back(card);
  if (const auto board = board_card(validation)) cards.push_back(*board);
  const bool fits = is_within_bounds(result);
  const bool differs = board_differs(validation);
  if (differs) sentence += " The board computes other numbers than the host.";
  const std::string sign = !fits     ? "✗ does not fit"
                           : differs ? "✗ the board differs"
                                     : fmt::format("✓ {} points", points);
  page.answer = verdict(fits && !differs, sign, sentence) + card_row(cards) + warnings_of(result);
  page.add("energy", "Quality over energy", energy_section(result));
  page.add("points", "The points", points_section(result));
  page.add("bits", "Bits by layer and point", bits_by_layer(result));
  page.add("truncation", "Dropping bits", truncation_section(result));
  page.add("network", "The network on its device", network_section(details));
  page.add("memory", "Memory over time", memory_section(details));
  page.add("flash", "Flash and time", flash_section(result, details));
  page.add("frontier", "Time over RAM", frontier_section(result));
  page.add("board", "On the board", validation_section(result, validation));
  page.add("repeat", "Run it again", repeat_section(result, details));
  page.foot = foot_of(result);
  return page;
}

}  // namespace trimtab
