#include "report/fit_report.h"

#include <fmt/format.h>

#include "base/units.h"
#include "report/accuracy_section.h"
#include "report/frontier_section.h"
#include "report/program_sections.h"
#include "report/run_sections.h"
#include "report/search_section.h"
#include "report/validation_section.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

/// The quality of the integers beside the float network's.
std::optional<Card> quality_card(const Facts& result) {
  const FirstMeasure measure = first_measure(result);
  const auto value = number(result, measure.key);
  const auto before = number(result, measure.key + "_float");
  Card card{measure.name, "", measure.unit, std::nullopt, ""};
  if (value) {
    card.value = measure.unit.empty() ? fmt::format("{:.4g}", *value) : fmt::format("{:.2f}", *value);
    card.more = fmt::format("of {} samples as integers", number_text(number_or(result, "samples", 0)));
    if (before) card.more += fmt::format("; float {} ({:+.2f})", measure_text(before, measure), *value - *before);
    return card;
  }
  if (const auto sqnr = number(result, "sqnr_db"))
    return Card{"SQNR", fmt::format("{:.1f}", *sqnr), "dB", std::nullopt, "integers against the float network"};
  return std::nullopt;
}

std::string sentence_of(const Facts& result, bool fits, bool differs) {
  std::string text;
  const FirstMeasure measure = first_measure(result);
  if (const auto value = number(result, measure.key))
    text = fmt::format("{} {}", measure_text(value, measure), measure.name);
  const auto add = [&](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  if (const auto flash = whole(result, "flash_bytes")) add(format_bytes(*flash) + " of flash");
  if (const auto ram = whole(result, "ram_bytes")) add(format_bytes(*ram) + " of RAM");
  if (const auto latency = number(result, "latency_expected_ms")) add(fmt::format("an estimated {:.4g} ms", *latency));
  if (!fact(result, "target").is_string()) return text + ". The integer program for this machine; nothing was linked.";
  if (differs) return text + ". The board computes other numbers than the host.";
  return text + (fits ? ". Every bound is held, and the device computes the host's numbers."
                      : ". At least one bound is missed.");
}

}  // namespace

Page fit_report(const Facts& result, const Facts& details, const Facts& validation) {
  Page page;
  const bool device = fact(result, "target").is_string();
  const bool within = is_within_bounds(result);
  const bool differs = board_differs(validation);
  page.title = model_name(result) + (device ? " on " + words(result, "target") : " as integers");
  page.subtitle = device ? words(fact(details, "target"), "description") : "the integer program, for this machine";
  const std::string sign = !device ? "✓ done" : !within ? "✗ does not fit" : differs ? "✗ the board differs" : "✓ fits";
  std::vector<Card> cards;
  if (const auto quality = quality_card(result)) cards.push_back(*quality);
  for (const Card& card : cost_cards(result)) cards.push_back(card);
  if (const auto board = board_card(validation)) cards.push_back(*board);
  page.answer =
      verdict(within && !differs, sign, sentence_of(result, within, differs)) + card_row(cards) + warnings_of(result);
  page.add("network", "The network", network_section(details));
  page.add("accuracy", "Where accuracy is lost", accuracy_section(details));
  page.add("memory", "Memory over time", memory_section(details));
  page.add("flash", "Flash and time", flash_section(result, details));
  page.add("frontier", "Time over RAM", frontier_section(result));
  page.add("energy", "Energy", clocks_section(result));
  page.add("board", "On the board", validation_section(result, validation));
  page.add("answers", "The answers", answers_section(details));
  page.add("search", "The search", search_section(result, details));
  page.add("repeat", "Run it again", repeat_section(result, details));
  page.foot = foot_of(result);
  return page;
}

}  // namespace trimtab
