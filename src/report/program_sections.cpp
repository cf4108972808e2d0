#include "report/program_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "base/units.h"
#include "report/arena_picture.h"
#include "report/lanes.h"
#include "report/small_pictures.h"

namespace trimtab {
namespace {

std::string bytes_of(double bytes) { return format_bytes(std::llround(std::clamp(bytes, -9e15, 9e15))); }

/// A card of something that takes memory.
std::optional<Card> memory_card(const Facts& result, const std::string& name, const std::string& key,
                                const std::string& more) {
  const auto bytes = number(result, key);
  if (!bytes) return std::nullopt;
  Card card{name, bytes_of(*bytes), "", std::nullopt, more};
  if (const auto bound = number(fact(result, "bounds"), key); bound && *bound > 0) {
    card.share = *bytes / *bound;
    card.more =
        fmt::format("{} of {}{}{}", percent_text(*card.share), bytes_of(*bound), more.empty() ? "" : "; ", more);
  }
  return card;
}

std::string parts_of(const Facts& result, const std::vector<std::pair<std::string, std::string>>& names_and_keys) {
  std::string text;
  for (const auto& [name, key] : names_and_keys) {
    if (const auto bytes = number(result, key))
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, bytes_of(*bytes));
  }
  return text;
}

std::optional<Card> latency_card(const Facts& result) {
  const auto expected = number(result, "latency_expected_ms");
  const auto least = number(result, "latency_lower_ms");
  const auto most = number(result, "latency_upper_ms");
  if (!expected && !least) return std::nullopt;
  Card card{"Latency, estimated", fmt::format("{:.4g}", expected.value_or(*least)), expected ? "ms" : "ms at least",
            std::nullopt, ""};
  if (least && most) card.more = fmt::format("{:.4g} to {:.4g} ms at the highest clock", *least, *most);
  if (const auto bound = number(fact(result, "bounds"), "latency_ms"); bound && *bound > 0) {
    card.share = most.value_or(*least) / *bound;
    card.more += fmt::format("; the upper end is {} of {:.4g} ms", percent_text(*card.share), *bound);
  }
  return card;
}

/// What an inference spends at the clock that was chosen.
std::optional<Card> energy_card(const Facts& result) {
  const Facts& energy = fact(result, "energy");
  const auto expected = number(energy, "inference_uj");
  const auto least = number(energy, "inference_least_uj");
  const auto most = number(energy, "inference_most_uj");
  const auto clock = number(energy, "clock_hz");
  if (!expected || !least || !most || !clock) return std::nullopt;
  Card card{"Energy, estimated", fmt::format("{:.4g}", *expected), "µJ", std::nullopt, ""};
  card.more = fmt::format("an inference at {}; {:.4g} to {:.4g} µJ", format_frequency(*clock), *least, *most);
  const Facts& bounds = fact(result, "bounds");
  if (const auto bound = number(bounds, "energy_uj"); bound && *bound > 0) {
    card.share = *most / *bound;
    card.more += fmt::format("; the upper end is {} of {:.4g} µJ", percent_text(*card.share), *bound);
  }
  const auto period = number(energy, "period_uj");
  const auto every = number(bounds, "period_ms");
  if (period && every) card.more += fmt::format("; {:.4g} µJ in {:.4g} ms with wake and sleep", *period, *every);
  return card;
}

/// The sums of a number over the layers.
double sum_over(const Facts& layers, const std::string& key) {
  double sum = 0;
  for (const Facts& layer : layers) sum += number_or(layer, key, 0);
  return sum;
}

std::string shape_of(const Facts& layer) {
  std::string text;
  for (const double size : numbers(layer, "output_shape"))
    text += fmt::format("{}{}", text.empty() ? "" : "×", number_text(size));
  return text;
}

/// By row: the rows that it reads; row 0 is the network's input, row i + 1 layer i.
std::vector<std::vector<std::size_t>> connections(const Facts& layers) {
  std::vector<std::vector<std::size_t>> inputs{{}};
  for (const Facts& layer : layers) {
    std::vector<std::size_t>& own = inputs.emplace_back();
    for (const double input : numbers(layer, "inputs")) {
      if (input >= -1 && input + 2 < static_cast<double>(inputs.size()))
        own.push_back(static_cast<std::size_t>(input + 1));
    }
  }
  return inputs;
}

/// "3.2 ms" and the share of all, as a bar.
Cell share_cell(double value, double sum, double greatest, const std::string& text) {
  if (!(value > 0)) return {Markup(), 0.0};
  return {bar(value / greatest, text, percent_text(value / sum)), value};
}

double greatest_of(const Facts& layers, const std::string& key) {
  double greatest = 1e-300;
  for (const Facts& layer : layers) greatest = std::max(greatest, number_or(layer, key, 0));
  return greatest;
}

}  // namespace

std::vector<Card> cost_cards(const Facts& result) {
  std::vector<Card> cards;
  const auto add = [&](const std::optional<Card>& card) {
    if (card) cards.push_back(*card);
  };
  add(memory_card(result, "Flash", "flash_bytes",
                  parts_of(result, {{"weights", "weights_bytes"}, {"code", "text_bytes"}})));
  add(memory_card(result, "RAM", "ram_bytes", parts_of(result, {{"arena", "arena_bytes"}, {"stack", "stack_bytes"}})));
  add(latency_card(result));
  add(energy_card(result));
  if (const auto instructions = whole(result, "instructions")) {
    Card card{"Instructions", format_count(*instructions), "", std::nullopt, "an inference, counted in the emulator"};
    if (const auto bound = number(fact(result, "bounds"), "instructions"); bound && *bound > 0) {
      card.share = static_cast<double>(*instructions) / *bound;
      card.more = fmt::format("{} of {}", percent_text(*card.share), number_text(*bound));
    }
    cards.push_back(card);
  }
  const Facts& device = fact(result, "device");
  if (const auto samples = whole(device, "samples")) {
    cards.push_back({"Verified, bit for bit", format_count(*samples), "samples", std::nullopt,
                     fmt::format("{} numbers differ, on the emulated {}",
                                 number_text(number_or(device, "mismatches", 0)), words(device, "machine"))});
  }
  return cards;
}

bool is_within_bounds(const Facts& result) {
  const Facts& bounds = fact(result, "bounds");
  if (!bounds.is_object()) return true;
  for (const auto& [key, bound] : bounds.items()) {
    const Facts& energy = fact(result, "energy");
    const bool of_duty = key == "deadline_ms" || key == "period_ms";
    const auto value = of_duty               ? number(energy, "latency_upper_ms")
                       : key == "energy_uj"  ? number(energy, "inference_most_uj")
                       : key == "latency_ms" ? number(result, "latency_upper_ms")
                                             : number(result, key);
    if (value && bound.is_number() && *value > bound.get<double>()) return false;
  }
  return true;
}

Markup clocks_section(const Facts& result) {
  const Facts& energy = fact(result, "energy");
  if (!energy.is_object()) {
    const std::string reason = words(result, "energy_unknown");
    return reason.empty() ? Markup() : paragraph(soft("The energy is not known: " + reason + "."));
  }
  const bool periodic = number(energy, "period_uj").has_value();
  std::vector<Column> columns{{"clock", true},
                              {"core voltage", true},
                              {"time", true, "estimated, with the wake where there is a period"},
                              {"up to", true, "the upper end of the time"},
                              {"energy of an inference", true, "estimated"},
                              {"from", true, "the lower end"},
                              {"to", true, "the upper end"}};
  if (periodic) columns.push_back({"energy of a period", true, "wake, inference and sleep"});
  columns.push_back({""});
  Table table(columns, "clocks");
  for (const Facts& clock : list(energy, "clocks")) {
    const auto hz = number_or(clock, "clock_hz", 0);
    const auto cell = [&](const char* key, const char* unit) -> Cell {
      const auto value = number(clock, key);
      return value ? Cell{fmt::format("{:.4g} {}", *value, unit), *value} : Cell{Markup()};
    };
    std::vector<Cell> cells{{format_frequency(hz), hz},        cell("core_v", "V"),
                            cell("latency_expected_ms", "ms"), cell("latency_upper_ms", "ms"),
                            cell("inference_uj", "µJ"),        cell("inference_least_uj", "µJ"),
                            cell("inference_most_uj", "µJ")};
    if (periodic) cells.push_back(cell("period_uj", "µJ"));
    const bool late = fact(clock, "in_time").is_boolean() && !fact(clock, "in_time").get<bool>();
    cells.push_back({hz == number_or(energy, "clock_hz", 0) ? "runs at this clock" : late ? "too slow" : ""});
    table.add(cells);
  }
  return table.html() + paragraph(soft("Energy of a cycle: " + words(energy, "nj_per_cycle_source")));
}

Markup network_section(const Facts& details) {
  const Facts& layers = list(details, "layers");
  if (layers.empty()) return {};
  const double clock = number_or(fact(details, "target"), "clock_hz", 0);
  const double instructions = sum_over(layers, "instructions");
  const double cycles = clock > 0 ? sum_over(layers, "estimated_cycles") : 0;
  const double constants = sum_over(layers, "constant_bytes");
  const double most_instructions = greatest_of(layers, "instructions");
  const double most_cycles = greatest_of(layers, "estimated_cycles");
  const double most_constants = greatest_of(layers, "constant_bytes");
  std::vector<Column> columns{{"", false},
                              {"#", true},
                              {"layer"},
                              {"output", false, "height × width × channels"},
                              {"weights", false, "bits of a weight"},
                              {"output bits", false, "bits of a number of the output"},
                              {"MACs", true, "multiply-accumulates"},
                              {"kernel, and why"}};
  if (instructions > 0) columns.push_back({"instructions", true, "of one inference, counted in the emulator"});
  if (cycles > 0) columns.push_back({"time", true, "estimated at the highest clock"});
  columns.push_back({"flash", true, "weights, biases and multipliers"});
  const std::vector<Markup> lanes = network_lanes(connections(layers));
  Table table(columns, "layers");
  const Facts& input = fact(details, "input");
  std::vector<Cell> first{{lanes[0], std::nullopt, "lanes"},
                          {"0"},
                          {element("span", {{"class", "name"}}, "input")},
                          {shape_of(input)},
                          {Markup()},
                          {bits(bit_width(input, "activation_bits"))}};
  first.resize(columns.size());
  table.add(first, "", "layer");
  std::size_t row = 0;
  for (const Facts& layer : layers) {
    ++row;
    const std::string name = words(layer, "layer");
    const int weight_bits = bit_width(layer, "weight_bits");
    const double macs = number_or(layer, "macs", 0);
    Markup kernel =
        element("code", {}, words(layer, "kernel")) + element("div", {{"class", "why"}}, words(layer, "reason"));
    std::vector<Cell> cells{
        {lanes[row], std::nullopt, "lanes"},
        {fmt::format("{}", row)},
        {element("span", {{"class", "name"}}, name) + element("div", {{"class", "kind"}}, words(layer, "kind"))},
        {shape_of(layer)},
        {bits(weight_bits), static_cast<double>(weight_bits)},
        {bits(bit_width(layer, "activation_bits")), number_or(layer, "activation_bits", 8)},
        {macs > 0 ? number_text(macs) : "", macs},
        {kernel}};
    const double own = number_or(layer, "instructions", 0);
    if (instructions > 0) cells.push_back(share_cell(own, instructions, most_instructions, number_text(own)));
    const double own_cycles = number_or(layer, "estimated_cycles", 0);
    if (cycles > 0)
      cells.push_back(share_cell(own_cycles, cycles, most_cycles, fmt::format("{:.3g} ms", own_cycles / clock * 1e3)));
    const double own_constants = number_or(layer, "constant_bytes", 0);
    cells.push_back(share_cell(own_constants, constants, most_constants, bytes_of(own_constants)));
    table.add(cells, name, "layer");
  }
  return paragraph(soft(fmt::format("{} layers, {} multiply-accumulates. A click on a head sorts.", layers.size(),
                                    number_text(sum_over(layers, "macs"))))) +
         empty_element("input", {{"class", "find"},
                                 {"data-table", "layers"},
                                 {"type", "search"},
                                 {"placeholder", "find a layer or kernel"},
                                 {"aria-label", "find a layer or kernel"}}) +
         table.html();
}

Markup memory_section(const Facts& details) {
  const Facts& memory = fact(details, "memory");
  const Facts& layers = list(details, "layers");
  ArenaMap map;
  map.bytes = number_or(memory, "arena_bytes", 0);
  const auto name_of_layer = [&](double index) {
    return index >= 0 && index < static_cast<double>(layers.size())
               ? words(layers[static_cast<std::size_t>(index)], "layer")
               : std::string();
  };
  for (const double step : numbers(memory, "operations")) map.operations.push_back(name_of_layer(step));
  for (const Facts& value : list(memory, "values")) {
    ArenaValue own{
        words(value, "name"), name_of_layer(number_or(value, "layer", -1)), fact(value, "scratch") == Facts(true), {}};
    for (const Facts& use : list(value, "uses")) {
      if (!use.is_array() || use.size() != 4) continue;
      const Facts named{{"u", use}};
      const std::vector<double> n = numbers(named, "u");
      if (!std::ranges::all_of(n, [](double x) { return std::abs(x) < 1e12; })) continue;
      own.uses.push_back({n[0], n[1], static_cast<std::int64_t>(n[2]), static_cast<std::int64_t>(n[3])});
    }
    map.values.push_back(std::move(own));
  }
  const FullestOperation fullest = fullest_operation(map);
  const Markup picture = arena_picture(map, fullest);
  if (picture.empty()) return {};
  const double bound = number_or(memory, "arena_lower_bound_bytes", 0);
  std::string fact_line = fmt::format(
      "All activations and scratch memory lie in one arena of {}. The step that decides is {}: {} are in use "
      "there.",
      bytes_of(map.bytes), map.operations[fullest.operation], bytes_of(fullest.bytes));
  if (bound > 0)
    fact_line += fmt::format(" No arena can be smaller than {} with the operations in this order.", bytes_of(bound));
  Table table({{"in use at the fullest step"}, {"bytes", true}});
  for (const auto& [name, bytes] : fullest.alive)
    table.add({{element("span", {{"class", "name"}}, name)}, {bar(bytes / fullest.bytes, number_text(bytes)), bytes}});
  const bool strips = map.operations.size() > layers.size();
  return paragraph(fact_line) +
         figure(picture,
                std::string("From left to right the operations of one inference, upwards the addresses. Grey is "
                            "scratch memory; the frame marks the fullest operation.") +
                    (strips ? " Layers are made in strips of rows, so a layer has several operations, and a "
                              "row lives only as long as it is read."
                            : "")) +
         table.html();
}

Markup flash_section(const Facts& result, const Facts& details) {
  const Facts& layers = list(details, "layers");
  Markup body;
  const auto text = number(result, "text_bytes");
  const auto rodata = number(result, "rodata_bytes");
  const auto flash = number(result, "flash_bytes");
  if (text && rodata && flash) {
    const double weights = std::min(number_or(result, "weights_bytes", 0), *rodata);
    const double data = std::max(0.0, *flash - *text - *rodata);
    std::vector<SharePart> parts{{"weights", weights, bytes_of(weights)},
                                 {"other constants", *rodata - weights, bytes_of(*rodata - weights)},
                                 {"code", *text, bytes_of(*text)}};
    if (data > 0) parts.push_back({"initialized data", data, bytes_of(data)});
    std::vector<std::string> names;
    for (const SharePart& part : parts)
      names.push_back(fmt::format("{} {}, {}", part.name, part.text, percent_text(part.value / *flash)));
    body +=
        element("h3", {}, "By section of the image") + legend(names) + figure(share_strip(parts, "flash by section"));
  }
  const auto by_layer = [&](const std::string& heading, const std::string& key, auto to_text) {
    std::vector<SharePart> parts;
    for (const Facts& layer : layers) {
      const double value = number_or(layer, key, 0);
      parts.push_back({words(layer, "layer"), value, to_text(value), words(layer, "layer")});
    }
    const Markup picture = share_strip(parts, heading);
    if (!picture.empty()) body += element("h3", {}, heading) + figure(picture);
  };
  by_layer("Constants by layer", "constant_bytes", bytes_of);
  const double clock = number_or(fact(details, "target"), "clock_hz", 0);
  if (clock > 0 && sum_over(layers, "estimated_cycles") > 0) {
    by_layer("Estimated time by layer", "estimated_cycles",
             [&](double cycles) { return fmt::format("{:.3g} ms", cycles / clock * 1e3); });
  } else {
    by_layer("Instructions by layer", "instructions", [](double count) { return number_text(count); });
  }
  return body;
}

}  // namespace trimtab
