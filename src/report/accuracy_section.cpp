#include "report/accuracy_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/advice.h"
#include "report/chart.h"
#include "report/small_pictures.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

/// A power ratio; without a number there is no error at all.
Cell decibels(const Facts& layer, const std::string& key) {
  const auto value = number(layer, key);
  if (!value) return {soft(fact(layer, key).is_null() ? "" : "exact"), 999.0};
  const char* style = *value < 15 ? "bad" : *value < 25 ? "warn" : "";
  return {element("span", {{"class", style}}, fmt::format("{:.1f}", *value)), *value};
}

GridHistogram histogram_of(const Facts& layer) {
  const Facts& counts = fact(layer, "histogram");
  const Facts& grid = fact(layer, "grid");
  return {number_or(counts, "low", 0), number_or(counts, "high", 0), numbers(counts, "counts"),
          number_or(grid, "low", 0),   number_or(grid, "high", 0),   number_or(grid, "step", 0)};
}

Markup advice_of(const Facts& layer) {
  Markup text;
  for (const Advice& advice : advise(layer)) {
    text += paragraph(advice.sentence);
    if (!advice.plan.empty()) text += element("pre", {}, advice.plan);
  }
  return text;
}

/// The error that has gathered at every layer, in the order of execution.
Markup gathered_chart(const Facts& layers) {
  Series gathered{"", {}, {}, SeriesForm::points_and_line, {}, {}, {}};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto value = number(layers[i], "sqnr_db");
    gathered.x.push_back(static_cast<double>(i + 1));
    gathered.y.push_back(value ? *value : std::nan(""));
    gathered.notes.push_back(
        fmt::format("{}: {}", words(layers[i], "layer"), value ? fmt::format("{:.1f} dB", *value) : "exact"));
  }
  return figure(chart_picture({"layer, in the order of execution", "SQNR of the layer's output, dB", {gathered}}),
                "With everything quantized: signal over the error that has gathered up to the layer. A fall shows a "
                "layer that adds error; the numbers are those of the first column of the network's table.");
}

}  // namespace

Markup accuracy_section(const Facts& details) {
  const Facts& accuracy = fact(details, "accuracy");
  const Facts& in_order = list(accuracy, "layers");
  if (in_order.empty()) return {};
  const std::vector<Facts> layers = layers_by_loss(accuracy);
  Markup body = paragraph(
      fmt::format("{} samples, integers against {}. SQNR is the power of the signal over the power of the error: 6 dB "
                  "are one bit. Worst first.",
                  number_text(number_or(accuracy, "samples", 0)), words(accuracy, "reference")));
  const std::string worst = words(layers.front(), "layer");
  const auto worst_db = number(layers.front(), "alone_sqnr_db");
  if (worst_db) {
    const Markup advice = advice_of(layers.front());
    body += element("div", {{"class", "note"}},
                    paragraph(Markup("Most is lost in ") + element("strong", {}, worst) +
                              fmt::format(": quantized alone, it leaves {:.1f} dB at the network's outputs{}",
                                          *worst_db, advice.empty() ? ", which changes next to no answer." : ".")) +
                        advice);
  }
  const bool weights =
      std::ranges::any_of(in_order, [](const Facts& layer) { return !fact(layer, "weights_alone_sqnr_db").is_null(); });
  std::vector<Column> columns{{"layer"},
                              {"alone, dB", true, "SQNR of the network's outputs with only this layer quantized"}};
  if (weights) columns.push_back({"its weights, dB", true, "with only its weights quantized"});
  columns.push_back({"its output, dB", true, "with only its output rounded"});
  columns.push_back({"gathered, dB", true, "SQNR of the layer's output with everything quantized"});
  columns.push_back({"cosine", true, "of the angle between the layer's output in integers and in float"});
  columns.push_back({"largest error", true, "of a number of the output, in its own units"});
  columns.push_back({"beyond grid", true, "share of the float network's numbers that the grid cannot reach"});
  columns.push_back({"bits", false, "of weights and output"});
  columns.push_back({"numbers of the output, and their grid", false,
                     "logarithmic counts; lines mark the grid, or its ends; tinted: beyond it", false});
  Table table(columns, "losses");
  for (const Facts& layer : layers) {
    const int weight_bits = bit_width(layer, "weight_bits");
    std::vector<Cell> cells{{element("span", {{"class", "name"}}, words(layer, "layer"))},
                            decibels(layer, "alone_sqnr_db")};
    if (weights) cells.push_back(decibels(layer, "weights_alone_sqnr_db"));
    cells.push_back(decibels(layer, "activations_alone_sqnr_db"));
    cells.push_back(decibels(layer, "sqnr_db"));
    const auto cosine = number(layer, "cosine");
    cells.push_back({cosine ? fmt::format("{:.5f}", *cosine) : "", cosine});
    const auto error = number(layer, "largest_error");
    cells.push_back({error ? fmt::format("{:.3g}", *error) : "", error});
    const double saturated = number_or(layer, "saturated_percent", 0);
    cells.push_back({saturated > 0 ? fmt::format("{:.2g} %", saturated) : "none", saturated});
    cells.push_back(
        {(weight_bits > 0 ? bits(weight_bits) + " " : Markup()) + bits(bit_width(layer, "activation_bits"))});
    cells.push_back({histogram_picture(histogram_of(layer), 210, 40)});
    table.add(cells, words(layer, "layer"));
  }
  body += table.html() + gathered_chart(in_order);
  Markup more;
  for (std::size_t i = 1; i < layers.size(); ++i) {
    const Markup advice = advice_of(layers[i]);
    if (advice.empty()) break;
    more += element("h3", {}, words(layers[i], "layer")) + advice;
  }
  if (!more.empty()) body += element("details", {}, element("summary", {}, "What would help the next layers") + more);
  return body;
}

Markup answers_section(const Facts& details) {
  const Facts& answers = fact(details, "answers");
  std::vector<std::string> classes;
  for (const Facts& name : list(answers, "classes"))
    classes.push_back(name.is_string() ? name.get<std::string>() : std::string());
  const auto name_of_class = [&](double index) {
    return index >= 0 && index < static_cast<double>(classes.size()) ? classes[static_cast<std::size_t>(index)]
                                                                     : number_text(index);
  };
  std::vector<std::vector<double>> counts;
  for (const Facts& row : list(answers, "confusion")) counts.push_back(numbers(Facts{{"row", row}}, "row"));
  Markup body;
  struct Pair {
    std::size_t label, answer;
    double count;
  };
  std::vector<Pair> pairs;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    for (std::size_t c = 0; c < counts[r].size(); ++c) {
      if (r != c && counts[r][c] > 0) pairs.push_back({r, c, counts[r][c]});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.count > b.count; });
  Table confused({{"right"}, {"answered"}, {"samples", true}});
  for (const Pair& pair : pairs) {
    confused.add({{name_of_class(static_cast<double>(pair.label))},
                  {name_of_class(static_cast<double>(pair.answer))},
                  {number_text(pair.count), pair.count}});
    if (pair.count <= 0 || &pair - pairs.data() >= 7) break;
  }
  const Markup picture = figure(confusion_picture(classes, counts),
                                "Rows are the right classes, columns the answers of the integers; the shade is the "
                                "share of the row.");
  if (!counts.empty()) {
    body += element(
        "div", {{"class", "columns"}},
        picture + element("div", {},
                          confused.empty() ? Markup() : element("h3", {}, "Confused most often") + confused.html()));
  }
  Markup pictures;
  Table worst(
      {{"sample", true}, {"right"}, {"answered"}, {"float answered"}, {"probability of the right class", true}});
  for (const Facts& sample : list(answers, "worst")) {
    const std::string right = name_of_class(number_or(sample, "label", -1));
    const std::string answer = name_of_class(number_or(sample, "answer", -1));
    const std::string before = name_of_class(number_or(sample, "answer_float", -1));
    const double probability = number_or(sample, "probability", 0);
    const std::string picture_data = words(sample, "picture_png");
    if (picture_data.empty()) {
      worst.add({{number_text(number_or(sample, "sample", 0))},
                 {right},
                 {answer},
                 {before},
                 {percent_text(probability), probability}});
      continue;
    }
    Markup caption =
        element("strong", {}, right) + element("div", {{"class", "bad"}}, answer) +
        element("div", {{"class", "soft"}}, before == answer ? std::string("float: the same") : "float: " + before);
    pictures += element(
        "figure", {},
        empty_element(
            "img", {{"src", "data:image/png;base64," + picture_data},
                    {"alt", fmt::format("sample {}", number_text(number_or(sample, "sample", 0)))},
                    {"title", fmt::format("sample {}, probability of the right class {}",
                                          number_text(number_or(sample, "sample", 0)), percent_text(probability))}}) +
            caption);
  }
  if (!pictures.empty() || !worst.empty()) {
    body += element("h3", {}, "The worst samples") +
            paragraph(soft("Bold the right class, below it the answer of the integers. Samples that the float network "
                           "answers rightly and the integers do not come first."));
    body += pictures.empty() ? worst.html() : element("div", {{"class", "pictures"}}, pictures);
  }
  return body;
}

}  // namespace trimtab
