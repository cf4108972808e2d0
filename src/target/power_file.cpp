#include "target/power_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/units.h"

namespace trimtab {
namespace {

constexpr double most_v = 60;
constexpr double most_nj = 1e6;
constexpr double most_uw = 1e9;
constexpr double most_us = 1e9;
constexpr std::int64_t most_wait_states = 100;

/// Reads the keys of a table, which is called `where` in messages ("power.sleep").
class PowerKeys {
 public:
  PowerKeys(const toml::table& table, std::string path, std::string where)
      : table_(table), path_(std::move(path)), where_(std::move(where)) {}

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
  [[nodiscard]] double positive(std::string_view key, double most) const {
    const auto value = table_[key].value<double>();
    if (!value.has_value() || !(*value > 0) || !(*value <= most))
      throw bad_input("{}: {}.{} must be a number above 0, up to {}", path_, where_, key, most);
    return *value;
  }
  [[nodiscard]] double positive_or(std::string_view key, double otherwise, double most) const {
    return has(key) ? positive(key, most) : otherwise;
  }
  [[nodiscard]] std::int64_t whole(std::string_view key, std::int64_t least, std::int64_t most) const {
    const auto value = table_[key].value_exact<std::int64_t>();
    if (!value.has_value() || *value < least || *value > most)
      throw bad_input("{}: {}.{} must be a whole number from {} to {}", path_, where_, key, least, most);
    return *value;
  }
  [[nodiscard]] std::string source() const {
    const auto text = table_["source"].value<std::string>();
    if (!text.has_value() || text->empty()) throw bad_input("{} has no text \"{}.source\"", path_, where_);
    return *text;
  }

 private:
  const toml::table& table_;
  std::string path_;
  std::string where_;
};

PowerClock read_clock(const toml::table& table, const std::string& path, std::int64_t most_hz) {
  const PowerKeys keys(table, path, "power.clocks");
  PowerClock clock;
  clock.hz = keys.whole("hz", 1, INT64_MAX);
  if (clock.hz > most_hz) {
    throw bad_input("{}: power.clocks has {}, and the highest clock of the target (clock.hz) is {}", path,
                    format_frequency(static_cast<double>(clock.hz)), format_frequency(static_cast<double>(most_hz)));
  }
  clock.core_v = keys.positive_or("core_v", 0, most_v);
  clock.flash_wait_states = keys.whole("flash_wait_states", 0, most_wait_states);
  clock.nj_per_cycle = keys.positive("nj_per_cycle", most_nj);
  clock.nj_per_cycle_least = keys.positive("nj_per_cycle_least", most_nj);
  clock.nj_per_cycle_most = keys.positive("nj_per_cycle_most", most_nj);
  if (clock.nj_per_cycle_least > clock.nj_per_cycle || clock.nj_per_cycle > clock.nj_per_cycle_most) {
    throw bad_input(
        "{}: nj_per_cycle at {} is {}; it must lie between its nj_per_cycle_least of {} and nj_per_cycle_most of {}",
        path, format_frequency(static_cast<double>(clock.hz)), clock.nj_per_cycle, clock.nj_per_cycle_least,
        clock.nj_per_cycle_most);
  }
  clock.source = keys.source();
  return clock;
}

std::vector<PowerClock> read_clocks(const toml::table& power, const std::string& path, std::int64_t most_hz) {
  const toml::array* list = power["clocks"].as_array();
  if (list == nullptr || list->empty()) {
    throw bad_input("{}: [power] has no clocks; give a [[power.clocks]] for every clock whose energy is known", path);
  }
  std::vector<PowerClock> clocks;
  for (const toml::node& node : *list) {
    const toml::table* table = node.as_table();
    if (table == nullptr) throw bad_input("{}: power.clocks must be tables, each begun by [[power.clocks]]", path);
    clocks.push_back(read_clock(*table, path, most_hz));
  }
  std::ranges::sort(clocks, {}, &PowerClock::hz);
  const auto twice = std::ranges::adjacent_find(clocks, {}, &PowerClock::hz);
  if (twice != clocks.end())
    throw bad_input("{}: power.clocks has {} twice", path, format_frequency(static_cast<double>(twice->hz)));
  return clocks;
}

}  // namespace

std::optional<Power> read_power(const toml::table& description, const std::string& path, std::int64_t most_hz) {
  if (!description.contains("power")) return std::nullopt;
  const toml::table* table = description["power"].as_table();
  if (table == nullptr) throw bad_input("{}: power must be a table, begun by [power]", path);
  const PowerKeys keys(*table, path, "power");
  Power power;
  power.clocks = read_clocks(*table, path, most_hz);
  power.supply_v = keys.positive_or("supply_v", 0, most_v);
  if (keys.has("supply_v_least") || keys.has("supply_v_most")) {
    power.supply_v_least = keys.positive("supply_v_least", most_v);
    power.supply_v_most = keys.positive("supply_v_most", most_v);
    if (power.supply_v_least > power.supply_v_most) {
      throw bad_input("{}: power.supply_v_least of {} is above its supply_v_most of {}", path, power.supply_v_least,
                      power.supply_v_most);
    }
    if (power.supply_v > 0 && (power.supply_v_least > power.supply_v || power.supply_v > power.supply_v_most)) {
      throw bad_input("{}: power.supply_v is {}; it must lie between its supply_v_least of {} and supply_v_most of {}",
                      path, power.supply_v, power.supply_v_least, power.supply_v_most);
    }
  }
  power.supply_source = keys.source();
  if (!keys.has("sleep")) return power;
  const toml::table* sleep = (*table)["sleep"].as_table();
  if (sleep == nullptr) throw bad_input("{}: power.sleep must be a table, begun by [power.sleep]", path);
  const PowerKeys asleep(*sleep, path, "power.sleep");
  power.sleep.emplace();
  power.sleep->uw = asleep.positive("uw", most_uw);
  if (asleep.has("wake_us")) power.sleep->wake_us = asleep.positive("wake_us", most_us);
  power.sleep->source = asleep.source();
  return power;
}

}  // namespace trimtab
