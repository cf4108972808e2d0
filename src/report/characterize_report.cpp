#include "report/characterize_report.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "report/chart.h"
#include "report/run_sections.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

/// Energy over the bits of the weights, a curve for every width of the activations.
Markup energy_chart(const Facts& pairs) {
  Chart chart{"bits of the weight", "energy of a multiply-accumulate, 8 × 8 bits = 1", {}};
  chart.y_from_zero = true;
  std::map<double, Series, std::greater<>> by_activation;
  for (const Facts& pair : pairs) {
    const double bits = number_or(pair, "activation_bits", 0);
    Series& series = by_activation[bits];
    series.name = fmt::format("{} bits of activation", number_text(bits));
    series.form = SeriesForm::points_and_line;
    series.x.push_back(number_or(pair, "weight_bits", std::nan("")));
    series.y.push_back(number_or(pair, "relative", std::nan("")));
  }
  for (const auto& [bits, series] : by_activation) chart.series.push_back(series);
  return figure(chart_picture(chart));
}

Markup mac_section(const Facts& mac) {
  const Facts& pairs = list(mac, "pairs");
  Table table({{"weight bits", true},
               {"activation bits", true},
               {"energy", true, "8 × 8 bits = 1"},
               {"fJ of the library", true},
               {"gates", true},
               {"of them glitches", true},
               {"registers", true},
               {"clock", true},
               {"clocks per MAC", true}});
  for (const Facts& pair : pairs) {
    const double whole_energy = number_or(pair, "library_fj", 0);
    const auto share = [&](const char* key) {
      const double part = number_or(pair, key, 0);
      return Cell{whole_energy > 0 ? percent_text(part / whole_energy) : "", part};
    };
    table.add({{number_text(number_or(pair, "weight_bits", 0))},
               {number_text(number_or(pair, "activation_bits", 0))},
               {bar(number_or(pair, "relative", 0), fmt::format("{:.3f}", number_or(pair, "relative", 0))),
                number(pair, "relative")},
               {fmt::format("{:.1f}", whole_energy), whole_energy},
               share("gates_fj"),
               share("glitches_fj"),
               share("registers_fj"),
               share("clock_fj"),
               {number_text(number_or(pair, "clocks_per_mac", 0))}});
  }
  return paragraph(fmt::format("{} gates, {} flip-flops; {} accumulators were compared with the definition, {} differ.",
                               number_text(number_or(mac, "gates", 0)), number_text(number_or(mac, "flip_flops", 0)),
                               number_text(number_or(mac, "sums_compared", 0)),
                               number_text(number_or(mac, "sums_differing", 0)))) +
         energy_chart(pairs) + (table.empty() ? Markup() : table.html());
}

}  // namespace

Page characterize_report(const Facts& result) {
  Page page;
  page.title = "Energy of a multiply-accumulate by its bits";
  page.subtitle = fmt::format("gate library {}; {}", words(result, "library"), words(result, "operands"));
  std::vector<Card> cards;
  for (const Facts& mac : list(result, "macs")) {
    for (const Facts& pair : list(mac, "pairs")) {
      if (number_or(pair, "weight_bits", 0) != 4 || number_or(pair, "activation_bits", 0) != 4) continue;
      cards.push_back({words(mac, "mac") + ", 4 × 4 bits", fmt::format("{:.3f}", number_or(pair, "relative", 0)),
                       "of 8 × 8", number(pair, "relative"), "relative, not calibrated"});
    }
  }
  page.answer = verdict(true, "✓ done",
                        "Energies are relative, from simulated gates. Wires, clock tree, leakage and "
                        "layout are left out: use the ratios.") +
                card_row(cards);
  std::size_t index = 0;
  for (const Facts& mac : list(result, "macs"))
    page.add(fmt::format("mac-{}", index++), words(mac, "mac"), mac_section(mac));
  page.add("repeat", "Run it again", repeat_section(result, {}));
  page.foot = foot_of(result);
  return page;
}

}  // namespace trimtab
