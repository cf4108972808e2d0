#include "report/sustain_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <vector>

#include "base/units.h"
#include "report/chart.h"
#include "report/run_sections.h"
#include "report/small_pictures.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

std::string board_of(const Facts& result) {
  return fmt::format("{} of {}, {:.4g} °C around it, limit {:.4g} °C", words(result, "cluster"), words(result, "soc"),
                     number_or(result, "ambient_c", 0), number_or(result, "limit_c", 0));
}

/// One policy of trace.csv, as means over windows of time.
struct Trace {
  struct Window {
    double time_s = 0;
    double celsius = 0;
    double lowest_c = 0;
    double highest_c = 0;
    double mhz = 0;
    double rate = 0;
    int count = 0;
  };
  std::string policy;
  std::vector<Window> windows;
};

constexpr double most_seconds = 300;  // afterwards nothing new happens
constexpr double window_seconds = 2.5;

/// The columns of a line of numbers behind the quoted policy; nothing where a number is missing.
std::vector<double> columns_of(std::string_view line) {
  std::vector<double> values;
  while (!line.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc{} || !std::isfinite(value)) return {};
    values.push_back(value);
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    if (line.starts_with(',')) line.remove_prefix(1);
  }
  return values;
}

/// policy,time_s,celsius,lowest_c,highest_c,mhz,rate_per_s
std::vector<Trace> read_traces(std::string_view csv) {
  std::vector<Trace> traces;
  while (!csv.empty()) {
    const std::string_view line = csv.substr(0, csv.find('\n'));
    csv.remove_prefix(std::min(line.size() + 1, csv.size()));
    const std::size_t end = line.rfind("\",");
    if (!line.starts_with('"') || end == std::string_view::npos || end == 0) continue;
    const std::vector<double> row = columns_of(line.substr(end + 2));
    if (row.size() != 6 || row[0] < 0 || row[0] >= most_seconds) continue;
    const std::string policy(line.substr(1, end - 1));
    if (traces.empty() || traces.back().policy != policy) traces.push_back({policy, {}});
    std::vector<Trace::Window>& windows = traces.back().windows;
    const double start = std::floor(row[0] / window_seconds) * window_seconds;
    if (windows.empty() || windows.back().time_s != start) windows.push_back({start, 0, row[2], row[3], 0, 0, 0});
    Trace::Window& window = windows.back();
    window.celsius += row[1];
    window.lowest_c = std::min(window.lowest_c, row[2]);
    window.highest_c = std::max(window.highest_c, row[3]);
    window.mhz += row[4];
    window.rate += row[5];
    ++window.count;
  }
  return traces;
}

/// The policies that a person wants to see first; more than six curves hide each other.
std::vector<Trace> few(std::vector<Trace> traces) {
  constexpr std::size_t most = 6;
  std::stable_sort(traces.begin(), traces.end(), [](const Trace& a, const Trace& b) {
    const auto rank = [](const Trace& trace) {
      const char* first[] = {"hysteresis", "step_wise-dt", "power_allocator", "fixed", "dither"};
      return std::find(std::begin(first), std::end(first), trace.policy) - std::begin(first);
    };
    return rank(a) < rank(b);
  });
  traces.resize(std::min(traces.size(), most));
  return traces;
}

Markup traces_section(const Facts& result, std::string_view csv) {
  const std::vector<Trace> traces = few(read_traces(csv));
  if (traces.empty()) return {};
  Chart temperature{"time, s", "temperature of the hottest node, °C", {}};
  Chart frequency{"time, s", "frequency, MHz", {}};
  Chart rate{"time, s", "inferences per second", {}};
  if (const auto limit = number(result, "limit_c")) temperature.limits.emplace_back(*limit, "limit");
  for (const Trace& trace : traces) {
    Series celsius{trace.policy, {}, {}, SeriesForm::line, {}, {}, {}};
    Series mhz = celsius;
    Series per_second = celsius;
    mhz.form = per_second.form = SeriesForm::steps;
    for (const Trace::Window& window : trace.windows) {
      for (Series* series : {&celsius, &mhz, &per_second}) series->x.push_back(window.time_s + window_seconds / 2);
      celsius.y.push_back(window.celsius / window.count);
      celsius.low.push_back(window.lowest_c);
      celsius.high.push_back(window.highest_c);
      mhz.y.push_back(window.mhz / window.count);
      per_second.y.push_back(window.rate / window.count);
    }
    temperature.series.push_back(celsius);
    frequency.series.push_back(mhz);
    rate.series.push_back(per_second);
  }
  return figure(chart_picture(temperature),
                fmt::format("Means of {:g} s, and the range in which the temperature swings.", window_seconds)) +
         figure(chart_picture(frequency)) + figure(chart_picture(rate));
}

Markup policies_section(const Facts& result) {
  Table table({{"policy"},
               {"inferences/s", true},
               {"latency, ms", true},
               {"accuracy", true},
               {"peak, °C", true},
               {"above the limit, s", true},
               {"mJ each", true},
               {"W", true},
               {"mean MHz", true},
               {"changes", true},
               {"tuned to", false, "so that its peak is the limit"}},
              "policies-table");
  double best = 0;
  for (const Facts& policy : list(result, "policies")) best = std::max(best, number_or(policy, "rate_per_s", 0));
  for (const Facts& policy : list(result, "policies")) {
    const auto cell = [&](const char* key, int digits) {
      const auto value = number(policy, key);
      return Cell{value ? fmt::format("{:.{}f}", *value, digits) : "", value};
    };
    const double rate = number_or(policy, "rate_per_s", 0);
    table.add({{element("span", {{"class", "name"}}, words(policy, "policy"))},
               {bar(best > 0 ? rate / best : 0, fmt::format("{:.2f}", rate)), rate},
               cell("latency_ms", 1),
               cell("accuracy", 2),
               cell("peak_c", 1),
               cell("above_limit_s", 1),
               cell("energy_mj", 1),
               cell("power_w", 2),
               cell("mean_mhz", 0),
               cell("changes", 0),
               {soft(words(policy, "parameters"))}});
  }
  return table.empty() ? Markup() : table.html();
}

Markup grid_section(const Facts& result) {
  Table table({{"drops to, MHz", true},
               {"returns below its trip, K", true},
               {"best single OPP gains", true},
               {"dither gains", true}});
  for (const Facts& cell : list(result, "reactive_grid")) {
    const auto fixed = number(cell, "gain_fixed_percent");
    const auto dither = number(cell, "gain_dither_percent");
    table.add({{number_text(number_or(cell, "drop_mhz", 0))},
               {number_text(number_or(cell, "hysteresis_k", 0))},
               {fixed ? fmt::format("{:+.1f} %", *fixed) : "hotter than the limit", fixed},
               {dither ? fmt::format("{:+.1f} %", *dither) : "", dither}});
  }
  return table.empty() ? Markup() : table.html();
}

/// The shares of every cluster's time.
Markup shares_section(const Facts& result) {
  std::map<std::string, std::vector<SharePart>> parts;  // by cluster
  Table shares(
      {{"cluster"}, {"variant"}, {"cores", true}, {"MHz", true}, {"share of the time", true}, {"latency, ms", true}});
  for (const Facts& share : list(result, "shares")) {
    const double fraction = number_or(share, "time_fraction", 0);
    const std::string cluster = words(share, "cluster");
    const std::string name = fmt::format("{} at {:.0f} MHz", words(share, "variant"), number_or(share, "mhz", 0));
    parts[cluster].push_back({name, fraction, percent_text(fraction)});
    shares.add({{cluster},
                {element("span", {{"class", "name"}}, words(share, "variant"))},
                {number_text(number_or(share, "cores", 0))},
                {fmt::format("{:.0f}", number_or(share, "mhz", 0)), number(share, "mhz")},
                {bar(fraction, fmt::format("{:.2f} %", 100 * fraction)), fraction},
                {fmt::format("{:.1f}", number_or(share, "latency_ms", 0)), number(share, "latency_ms")}});
  }
  Markup strips;
  for (const auto& [cluster, own] : parts) {
    std::vector<std::string> names;
    for (const SharePart& part : own) names.push_back(part.name);
    strips += legend(names) + figure(share_strip(own, fmt::format("shares of the time of {}", cluster)),
                                     parts.size() > 1 ? "the cluster " + cluster : "");
  }
  return strips.empty() ? Markup() : strips + shares.html();
}

/// What a cool board does within a limited time: rate and temperature, and the points of every part.
Markup burst_section(const Facts& result) {
  const Facts& burst = fact(result, "burst");
  const Facts& slots = list(burst, "slots");
  if (slots.empty()) return {};
  Series rate{"inferences per second", {}, {}, SeriesForm::steps, {}, {}, {}};
  Series celsius{"hottest node", {}, {}, SeriesForm::line, {}, {}, {}};
  Table table({{"from, s", true}, {"to, s", true}, {"inferences/s", true}, {"°C at its end", true}, {"points"}});
  for (const Facts& slot : slots) {
    const double from = number_or(slot, "from_s", 0);
    const double to = number_or(slot, "to_s", 0);
    rate.x.push_back(from);
    rate.y.push_back(number_or(slot, "rate_per_s", std::nan("")));
    celsius.x.push_back(to);
    celsius.y.push_back(number_or(slot, "celsius", std::nan("")));
    std::string points;
    for (const Facts& share : list(slot, "shares")) {
      points += fmt::format("{}{} {} {} at {:.0f} MHz", points.empty() ? "" : ", ",
                            percent_text(number_or(share, "time_fraction", 0)), words(share, "cluster"),
                            words(share, "variant"), number_or(share, "mhz", 0));
    }
    table.add({{fmt::format("{:.1f}", from), from},
               {fmt::format("{:.1f}", to), to},
               {fmt::format("{:.2f}", rate.y.back()), number(slot, "rate_per_s")},
               {fmt::format("{:.1f}", celsius.y.back()), number(slot, "celsius")},
               {soft(points)}});
  }
  if (!rate.x.empty()) {  // the last part has an end, too
    rate.x.push_back(celsius.x.back());
    rate.y.push_back(rate.y.back());
  }
  Chart rates{"time, s", "inferences per second", {rate}};
  Chart temperatures{"time, s", "temperature of the hottest node, °C", {celsius}};
  if (const auto limit = number(result, "limit_c")) temperatures.limits.emplace_back(*limit, "limit");
  const double sustained = number_or(burst, "sustained_inferences", 0);
  const double inferences = number_or(burst, "inferences", 0);
  return paragraph(fmt::format(
             "Within {:g} s the board does {} inferences, {:+.1f} % over the plan for ever, since it begins cool. The "
             "mean accuracy is {:.2f} %. Simulated.",
             number_or(burst, "duration_s", 0), number_text(std::round(inferences)),
             sustained > 0 ? 100 * (inferences / sustained - 1) : 0, number_or(burst, "accuracy", 0))) +
         figure(chart_picture(rates)) + figure(chart_picture(temperatures)) + table.html();
}

}  // namespace

Page simulate_report(const Facts& result, std::string_view trace) {
  Page page;
  page.title = fmt::format("{} on {}: policies side by side", words(result, "variant"), words(result, "soc"));
  page.subtitle = board_of(result);
  const Facts* best = nullptr;
  const Facts* worst = nullptr;
  for (const Facts& policy : list(result, "policies")) {
    const double rate = number_or(policy, "rate_per_s", 0);
    if (best == nullptr || rate > number_or(*best, "rate_per_s", 0)) best = &policy;
    if (worst == nullptr || rate < number_or(*worst, "rate_per_s", 0)) worst = &policy;
  }
  if (best != nullptr) {
    const double rate = number_or(*best, "rate_per_s", 0);
    const double least = number_or(*worst, "rate_per_s", 0);
    page.answer = verdict(true, fmt::format("{:.2f}/s", rate),
                          fmt::format("{} is the fastest that stays below the limit for ever: {:+.1f} % over {}, at "
                                      "{:.1f} mJ an inference. Simulated.",
                                      words(*best, "policy"), least > 0 ? 100 * (rate / least - 1) : 0,
                                      words(*worst, "policy"), number_or(*best, "energy_mj", 0)));
  } else {
    page.answer = verdict(true, fmt::format("{:.2f} %", number_or(result, "equal_percent", 0)),
                          fmt::format("of {} decisions of {} are the kernel's.",
                                      number_text(number_or(result, "decisions", 0)), words(result, "governor")));
  }
  page.add("policies", "The policies", policies_section(result));
  page.add("time", "Temperature, frequency and rate over time", traces_section(result, trace));
  page.add("grid", "Gain over reactive policies", grid_section(result));
  page.add("repeat", "Run it again", repeat_section(result, {}));
  page.foot = foot_of(result);
  return page;
}

Page plan_report(const Facts& result) {
  Page page;
  page.title = fmt::format("The sustained plan of {}", words(result, "soc"));
  page.subtitle = board_of(result);
  const double rate = number_or(result, "rate_per_s", 0);
  page.answer =
      verdict(true, fmt::format("{:.2f}/s", rate),
              fmt::format("inferences a second for ever, at {:.1f} °C. Simulated.", number_or(result, "steady_c", 0))) +
      card_row({{"accuracy, mean", fmt::format("{:.2f}", number_or(result, "accuracy", 0)), "%", {}, ""},
                {"power", fmt::format("{:.2f}", number_or(result, "power_w", 0)), "W", {}, ""},
                {"energy", fmt::format("{:.1f}", number_or(result, "energy_mj", 0)), "mJ", {}, "an inference"},
                {"one kelvin more",
                 fmt::format("{:+.3f}", number_or(result, "rate_per_kelvin", 0)),
                 "/s",
                 {},
                 "the price of the limit"},
                {"one point of accuracy less",
                 fmt::format("{:+.2f}", number_or(result, "rate_per_accuracy_point", 0)),
                 "/s",
                 {},
                 "the price of the floor"}});
  page.add("shares", "How the time is shared", shares_section(result));
  Table sprints({{"variant"}, {"MHz", true}, {"seconds", true}, {"inferences", true}});
  double longest = 0;
  for (const Facts& sprint : list(result, "sprints")) longest = std::max(longest, number_or(sprint, "seconds", 0));
  for (const Facts& sprint : list(result, "sprints")) {
    const double seconds = number_or(sprint, "seconds", 0);
    sprints.add({{words(sprint, "variant")},
                 {fmt::format("{:.0f}", number_or(sprint, "mhz", 0)), number(sprint, "mhz")},
                 {bar(longest > 0 ? seconds / longest : 0, fmt::format("{:.1f}", seconds)), seconds},
                 {number_text(std::round(number_or(sprint, "inferences", 0)))}});
  }
  page.add("burst", "Limited time on a cool board", burst_section(result));
  page.add("sprints", "Sprints of a cool, idle board", sprints.empty() ? Markup() : sprints.html());
  page.add("repeat", "Run it again", repeat_section(result, {}));
  page.foot = foot_of(result);
  return page;
}

Page govern_report(const Facts& result) {
  Page page;
  page.title = fmt::format("What the daemon did on {}", words(result, "soc"));
  page.subtitle = board_of(result);
  const auto peak = number(result, "peak_c");
  const double limit = number_or(result, "limit_c", 0);
  const bool cool = !peak || *peak <= limit;
  page.answer =
      verdict(cool, cool ? "✓ below the limit" : "✗ above the limit",
              fmt::format("{:.2f} inferences per second over {}; the hottest reading was {}.",
                          number_or(result, "planned_rate_per_s", 0), format_duration(number_or(result, "seconds", 0)),
                          peak ? fmt::format("{:.1f} °C", *peak) : "none")) +
      card_row(
          {{"accuracy, mean", fmt::format("{:.2f}", number_or(result, "accuracy", 0)), "%", {}, "of the variants"},
           {"ambient", fmt::format("{:.1f}", number_or(result, "ambient_c", 0)), "°C", {}, "as estimated at the end"},
           {"decisions", number_text(number_or(result, "steps", 0)), "", {}, ""}});
  Series celsius{"readings", {}, {}, SeriesForm::line, {}, {}, {}};
  Series ambient{"ambient, as estimated", {}, {}, SeriesForm::line, {}, {}, {}};
  Series mhz{"frequency", {}, {}, SeriesForm::steps, {}, {}, {}};
  Series rate{"inferences per second", {}, {}, SeriesForm::steps, {}, {}, {}};
  for (const Facts& window : list(result, "trace")) {
    const double from = number_or(window, "from_s", std::nan(""));
    for (Series* series : {&celsius, &ambient, &mhz, &rate}) series->x.push_back(from);
    celsius.y.push_back(number_or(window, "celsius", std::nan("")));
    celsius.low.push_back(number_or(window, "lowest_c", std::nan("")));
    celsius.high.push_back(number_or(window, "highest_c", std::nan("")));
    ambient.y.push_back(number_or(window, "ambient_c", std::nan("")));
    mhz.y.push_back(number_or(window, "mhz", std::nan("")));
    rate.y.push_back(number_or(window, "rate_per_s", std::nan("")));
  }
  Chart temperatures{"time, s", "°C", {celsius, ambient}};
  temperatures.limits.emplace_back(limit, "limit");
  page.add("time", "Temperature, frequency and rate over time",
           celsius.x.empty() ? Markup()
                             : figure(chart_picture(temperatures), "Means, and the range of the readings.") +
                                   figure(chart_picture({"time, s", "frequency, MHz", {mhz}})) +
                                   figure(chart_picture({"time, s", "inferences per second", {rate}})));
  page.add("shares", "How the time was shared", shares_section(result));
  page.add("repeat", "Run it again", repeat_section(result, {}));
  page.foot = foot_of(result);
  return page;
}

}  // namespace trimtab
