#include "thermal/soc.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#define TOML_EXCEPTIONS 1

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/toml_file.h"

namespace trimtab::thermal {
namespace {

/// Reads keys of one table and names the file and the key in what it throws.
class Keys {
 public:
  Keys(const toml::table& table, std::string where) : table_(&table), where_(std::move(where)) {}

  [[nodiscard]] double number(const char* key, double low, double high) const {
    const auto value = (*table_)[key].value<double>();
    if (!value) throw bad_input("{} has no number '{}'", where_, key);
    return checked(key, *value, low, high);
  }
  [[nodiscard]] double number_or(const char* key, double otherwise, double low, double high) const {
    return (*table_).contains(key) ? number(key, low, high) : otherwise;
  }
  [[nodiscard]] std::vector<double> numbers(const char* key, double low, double high) const {
    const toml::array* array = (*table_)[key].as_array();
    if (array == nullptr || array->empty()) throw bad_input("{} has no list of numbers '{}'", where_, key);
    std::vector<double> values;
    for (const toml::node& node : *array) {
      const auto value = node.value<double>();
      if (!value) throw bad_input("{} has something that is no number in '{}'", where_, key);
      values.push_back(checked(key, *value, low, high));
    }
    return values;
  }
  [[nodiscard]] std::string text_or(const char* key, const std::string& otherwise) const {
    return (*table_)[key].value_or(otherwise);
  }

 private:
  [[nodiscard]] double checked(const char* key, double value, double low, double high) const {
    if (!(value >= low && value <= high)) {
      throw bad_input("{} has {} = {}; it must lie between {} and {}", where_, key, value, low, high);
    }
    return value;
  }

  const toml::table* table_;
  std::string where_;
};

Cluster read_cluster(const toml::table& table, const std::string& file) {
  Cluster cluster;
  cluster.name = Keys(table, file).text_or("name", "");
  if (cluster.name.empty()) throw bad_input("{} has a cluster without a name", file);
  const Keys keys(table, fmt::format("{} in the cluster '{}'", file, cluster.name));
  cluster.cores = static_cast<int>(keys.number("cores", 1, 64));
  cluster.transition_s = keys.number_or("transition_us", 0, 0, 1e6) * 1e-6;
  const std::vector<double> mhz = keys.numbers("opps_mhz", 1, 10000);
  std::vector<double> volts(mhz.size(), 0.0);
  if (table.contains("opps_v")) volts = keys.numbers("opps_v", 0.3, 2.0);
  if (volts.size() != mhz.size()) {
    throw bad_input("{} in the cluster '{}' has {} frequencies and {} voltages; it must have as many", file,
                    cluster.name, mhz.size(), volts.size());
  }
  for (std::size_t i = 0; i < mhz.size(); ++i) {
    if (i > 0 && mhz[i] <= mhz[i - 1]) {
      throw bad_input("{} in the cluster '{}' has opps_mhz that do not rise", file, cluster.name);
    }
    cluster.opps.push_back({mhz[i], volts[i]});
  }
  if (const toml::table* power = table["power"].as_table()) {
    const Keys p(*power, fmt::format("{} in the power of '{}'", file, cluster.name));
    cluster.power = {p.number("clock_w_per_v2_ghz", 0, 100), p.number("cycles_w_per_v2_ghz", 0, 100),
                     p.number("leakage_w_per_v", 0, 100),    p.number("leakage_per_v", 0, 20),
                     p.number("leakage_per_k", 0, 0.2),      p.number_or("constant_w", 0, -5, 50)};
  }
  return cluster;
}

std::string join(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += fmt::format("{}{:.6g}", text.empty() ? "" : ", ", value);
  return text;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace

double leakage_w(const PowerModel& model, double volts, double celsius) {
  return model.leakage * volts *
         std::exp(model.leakage_per_volt * (volts - 1) + model.leakage_per_kelvin * (celsius - 60));
}

double leakage_slope(const PowerModel& model, double volts, double celsius) {
  return model.leakage_per_kelvin * leakage_w(model, volts, celsius);
}

double resistance_behind(const Network& network, std::size_t index, bool fan) {
  const bool fanned = fan && network.fan_resistance > 0 && index + 1 == network.resistance.size();
  return fanned ? network.fan_resistance : network.resistance.at(index);
}

double total_resistance(const Network& network, bool fan, std::size_t node) {
  double sum = 0;
  for (std::size_t i = node; i < network.resistance.size(); ++i) sum += resistance_behind(network, i, fan);
  return sum;
}

const Cluster& find_cluster(const Soc& soc, const std::string& name) {
  for (const Cluster& cluster : soc.clusters) {
    if (cluster.name == name) return cluster;
  }
  std::string names;
  for (const Cluster& cluster : soc.clusters) names += (names.empty() ? "" : ", ") + cluster.name;
  throw bad_input("{} has no cluster '{}'; it has {}", soc.name, name, names);
}

Soc read_soc(const std::filesystem::path& path) {
  const toml::table file = read_toml(path);
  const std::string where = path.string();
  const Keys keys(file, where);
  Soc soc;
  soc.name = keys.text_or("name", "");
  if (soc.name.empty()) throw bad_input("{} has no name; it is no description of a SoC", where);
  soc.description = keys.text_or("description", "");
  soc.limit_c = keys.number_or("limit_c", 85, 20, 150);
  const toml::array* clusters = file["cluster"].as_array();
  if (clusters == nullptr || clusters->empty()) throw bad_input("{} has no [[cluster]]", where);
  for (const toml::node& node : *clusters) {
    if (!node.is_table()) throw bad_input("{} has a cluster that is no table", where);
    soc.clusters.push_back(read_cluster(*node.as_table(), where));
  }
  const toml::table* thermal = file["thermal"].as_table();
  if (thermal == nullptr) throw bad_input("{} has no [thermal]", where);
  const Keys t(*thermal, where + " in [thermal]");
  soc.network.capacity = t.numbers("capacity_j_per_k", 1e-4, 1e5);
  soc.network.resistance = t.numbers("resistance_k_per_w", 1e-3, 1e3);
  soc.network.fan_resistance = t.number_or("fan_resistance_k_per_w", 0, 0, 1e3);
  soc.other_w = t.number_or("other_w", 0, 0, 100);
  if (soc.network.capacity.size() != soc.network.resistance.size() || soc.network.capacity.size() > 3) {
    throw bad_input("{} has {} capacities and {} resistances; a network has 1 to 3 nodes with one of each", where,
                    soc.network.capacity.size(), soc.network.resistance.size());
  }
  if (const toml::array* nodes = (*thermal)["nodes"].as_array()) {
    for (const toml::node& node : *nodes) soc.network.nodes.push_back(node.value_or(std::string("node")));
  }
  soc.network.nodes.resize(soc.network.capacity.size(), "node");
  for (std::size_t i = 0; i < soc.clusters.size(); ++i) {
    const std::string heats = (*(*clusters)[i].as_table())["heats"].value_or(soc.network.nodes.front());
    const auto found = std::ranges::find(soc.network.nodes, heats);
    if (found == soc.network.nodes.end()) {
      throw bad_input("{} in the cluster '{}' heats '{}'; the nodes are {}", where, soc.clusters[i].name, heats,
                      fmt::join(soc.network.nodes, ", "));
    }
    soc.clusters[i].node = static_cast<std::size_t>(found - soc.network.nodes.begin());
  }
  if (const toml::array* trips = file["trip"].as_array()) {
    for (const toml::node& node : *trips) {
      if (!node.is_table()) continue;
      const Keys trip(*node.as_table(), where + " in [[trip]]");
      soc.trips.push_back({trip.number("celsius", -40, 150), trip.text_or("type", "passive")});
    }
  }
  if (const toml::table* origin = file["origin"].as_table()) {
    for (const auto& [key, value] : *origin) {
      soc.origin[std::string(key.str())] = value.value_or(std::string());
    }
  }
  if (const toml::table* table = file["uncertainty"].as_table()) {
    for (const auto& [key, value] : *table) soc.uncertainty[std::string(key.str())] = value.value_or(0.0);
  }
  return soc;
}

std::string format_soc(const Soc& soc) {
  std::string out = fmt::format("name = {}\ndescription = {}\nlimit_c = {:g}\n", quoted(soc.name),
                                quoted(soc.description), soc.limit_c);
  for (const Cluster& cluster : soc.clusters) {
    std::vector<double> mhz;
    std::vector<double> volts;
    for (const Opp& opp : cluster.opps) {
      mhz.push_back(opp.mhz);
      volts.push_back(opp.volts);
    }
    out += fmt::format("\n[[cluster]]\nname = {}\ncores = {}\ntransition_us = {:g}\nopps_mhz = [{}]\n",
                       quoted(cluster.name), cluster.cores, cluster.transition_s * 1e6, join(mhz));
    if (cluster.node > 0) out += fmt::format("heats = {}\n", quoted(soc.network.nodes.at(cluster.node)));
    if (!volts.empty() && volts[0] > 0) out += fmt::format("opps_v = [{}]\n", join(volts));
    const PowerModel& p = cluster.power;
    out += fmt::format(
        "[cluster.power]\nclock_w_per_v2_ghz = {:.6g}\ncycles_w_per_v2_ghz = {:.6g}\nleakage_w_per_v = {:.6g}\n"
        "leakage_per_v = {:.6g}\nleakage_per_k = {:.6g}\nconstant_w = {:.6g}\n",
        p.clock, p.cycles, p.leakage, p.leakage_per_volt, p.leakage_per_kelvin, p.constant);
  }
  out += "\n[thermal]\nnodes = [";
  for (std::size_t i = 0; i < soc.network.nodes.size(); ++i) out += (i > 0 ? ", " : "") + quoted(soc.network.nodes[i]);
  out += fmt::format("]\ncapacity_j_per_k = [{}]\nresistance_k_per_w = [{}]\n", join(soc.network.capacity),
                     join(soc.network.resistance));
  if (soc.network.fan_resistance > 0)
    out += fmt::format("fan_resistance_k_per_w = {:.6g}\n", soc.network.fan_resistance);
  out += fmt::format("other_w = {:.6g}\n", soc.other_w);
  for (const Trip& trip : soc.trips) {
    out += fmt::format("\n[[trip]]\ncelsius = {:g}\ntype = {}\n", trip.celsius, quoted(trip.type));
  }
  out += "\n# Where the numbers come from.\n[origin]\n";
  for (const auto& [key, text] : soc.origin) out += fmt::format("{} = {}\n", quoted(key), quoted(text));
  if (!soc.uncertainty.empty()) {
    out += "\n# Relative standard deviation of what was identified.\n[uncertainty]\n";
    for (const auto& [key, value] : soc.uncertainty) out += fmt::format("{} = {:.3g}\n", quoted(key), value);
  }
  return out;
}

}  // namespace trimtab::thermal
