#include "report/validation_section.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "report/run_sections.h"

namespace trimtab {
namespace {

/// "8,604,361", and below it the least and the most, where they differ from it.
Cell cycles_cell(const Facts& facts, const std::string& key) {
  const auto cycles = number(facts, key);
  if (!cycles) return {Markup()};
  Markup content = number_text(*cycles);
  const auto least = number(facts, key + "_least");
  const auto most = number(facts, key + "_most");
  if (least && most && (*least != *cycles || *most != *cycles)) {
    content += element("div", {{"class", "why"}}, fmt::format("{} to {}", number_text(*least), number_text(*most)));
  }
  return {content, cycles};
}

/// The board's cycles over the estimate.
Cell ratio_cell(const Facts& facts) {
  const auto board = number(facts, "cycles");
  const auto estimate = number(facts, "estimated_cycles");
  if (!board || !estimate || !(*estimate > 0)) return {Markup()};
  const double ratio = *board / *estimate;
  return {fmt::format("{:.3g}", ratio), ratio};
}

bool has_any(const Facts& layers, const std::string& key) {
  return std::ranges::any_of(layers, [&](const Facts& layer) { return number(layer, key).has_value(); });
}

Markup cycles_table(const Facts& validation) {
  const Facts& layers = list(validation, "layers");
  if (!number(validation, "cycles") && !number(validation, "estimated_cycles") && !has_any(layers, "cycles")) return {};
  Table table({{"layer"},
               {"cycles, board", true, "counted on the board, mean of the samples"},
               {"cycles, estimate", true, "of the model of the core and of its memories"},
               {"board / estimate", true}},
              "board-cycles");
  const auto add = [&](const Facts& facts, const Markup& name, const std::string& layer) {
    table.add({{name}, cycles_cell(facts, "cycles"), cycles_cell(facts, "estimated_cycles"), ratio_cell(facts)}, layer,
              layer.empty() ? "" : "layer");
  };
  add(validation, "an inference", "");
  if (has_any(layers, "cycles") || has_any(layers, "estimated_cycles")) {
    for (const Facts& layer : layers)
      add(layer, element("span", {{"class", "name"}}, words(layer, "layer")), words(layer, "layer"));
  }
  return table.html();
}

std::string bits_sentence(const Facts& validation) {
  if (!board_differs(validation)) return "Every number is this machine's.";
  std::string text = fmt::format("{} samples differ from this machine's in {} numbers",
                                 number_text(number_or(validation, "differing_samples", 0)),
                                 number_text(number_or(validation, "differing_numbers", 0)));
  if (const auto first = number(validation, "first_differing_sample"))
    text += fmt::format("; sample {} is the first", number_text(*first));
  return text + ".";
}

}  // namespace

bool board_differs(const Facts& validation) {
  return number_or(validation, "differing_numbers", 0) > 0 || number_or(validation, "differing_samples", 0) > 0;
}

std::optional<Card> board_card(const Facts& validation) {
  const auto samples = whole(validation, "samples");
  if (!samples) return std::nullopt;
  Card card{"On the board, bit for bit", format_count(*samples), "samples", std::nullopt,
            fmt::format("{} numbers differ", number_text(number_or(validation, "differing_numbers", 0)))};
  const FirstMeasure measure = first_measure(validation);
  if (const auto value = number(validation, measure.key))
    card.more += fmt::format("; {} {}", measure.name, measure_text(value, measure));
  return card;
}

Markup validation_section(const Facts& result, const Facts& validation) {
  const auto samples = whole(validation, "samples");
  if (!samples) return {};
  std::string text = fmt::format("{} samples of {} ran on the board at {}", format_count(*samples),
                                 words(validation, "data"), words(validation, "port"));
  if (!list(result, "points").empty())
    text += fmt::format(", at operating point {}", number_text(number_or(validation, "point", 0)));
  text += ". " + bits_sentence(validation);
  const FirstMeasure measure = first_measure(validation);
  if (const auto value = number(validation, measure.key))
    text += fmt::format(" The board's own answers have a {} of {}.", measure.name, measure_text(value, measure));
  if (!number(validation, "cycles")) text += " The board has no counter of cycles.";
  if (const auto repeated = number(validation, "repeated_requests"); repeated && *repeated > 0)
    text += fmt::format(" {} requests were sent again.", number_text(*repeated));
  return paragraph(text) + warnings_of(validation) + cycles_table(validation);
}

}  // namespace trimtab
