#include "report/search_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "report/chart.h"
#include "report/run_sections.h"
#include "report/widgets.h"

namespace trimtab {

Markup search_section(const Facts& result, const Facts& details) {
  const Facts& search = fact(result, "search");
  if (!search.is_object()) return {};
  const FirstMeasure measure = first_measure(result);
  const std::string score_key = "validation_" + measure.key;
  Markup body = paragraph(fmt::format(
      "{} trials cost {} epochs of training together. Trials are compared on training samples that are held back; the "
      "test samples choose nothing.",
      number_text(number_or(search, "trials", 0)), number_text(number_or(search, "epochs", 0))));

  const Facts& finalists = list(search, "finalists");
  if (!finalists.empty()) {
    const Facts& best = finalists.front();
    body += element("div", {{"class", "note"}},
                    Markup("The plan is that of ") + element("strong", {}, words(best, "made_by")) +
                        fmt::format(", with {} of the weights: no other finalist within the bounds has a better {} on "
                                    "the held-back samples ({}).",
                                    percent_text(number_or(best, "weights_kept", 1)), measure.name,
                                    measure_text(number(best, score_key), measure)));
    Table table({{"finalist"}, {"held-back " + measure.name, true}, {"weights kept", true}});
    for (const Facts& finalist : finalists) {
      table.add({{words(finalist, "made_by")},
                 {measure_text(number(finalist, score_key), measure), number(finalist, score_key)},
                 {percent_text(number_or(finalist, "weights_kept", 1)), number(finalist, "weights_kept")}});
    }
    body += table.html();
  }

  std::map<std::string, Series> stages;
  std::vector<std::string> order;
  for (const Facts& trial : list(fact(details, "search"), "trials")) {
    const auto score = number(trial, measure.key);
    const auto bytes = number(trial, "weights_bytes");
    if (!score || !bytes) continue;
    const std::string stage = words(trial, "stage");
    if (!stages.contains(stage)) order.push_back(stage);
    Series& series = stages[stage];
    series.name = stage;
    series.form = SeriesForm::points;
    series.x.push_back(*bytes / 1024);
    series.y.push_back(*score);
    series.notes.push_back(fmt::format("{}: {}, {:.1f} KB of weights, {} epochs", stage, measure_text(*score, measure),
                                       *bytes / 1024, number_text(number_or(trial, "epochs", 0))));
  }
  Chart chart{"weights, KB", fmt::format("{} on held-back samples", measure.name), {}};
  for (const std::string& stage : order) chart.series.push_back(stages[stage]);
  const std::vector<double> front_bytes = numbers(fact(details, "search"), "front_weights_bytes");
  if (front_bytes.size() > 1) {
    Series front{"front: no trial has fewer bytes and is better", {}, {}, SeriesForm::steps, {}, {}, {}};
    for (const double bytes : front_bytes) front.x.push_back(bytes / 1024);
    front.y = numbers(fact(details, "search"), "front_" + measure.key);
    chart.series.push_back(front);
  }
  return body + figure(chart_picture(chart), "Every trial of the search, by stage. A later stage trains longer.");
}

}  // namespace trimtab
