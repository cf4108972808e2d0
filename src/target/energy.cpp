#include "target/energy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/toml_file.h"
#include "target/share.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// Reads keys of one table of a file and says what is wrong with them.
class EnergyReader {
 public:
  EnergyReader(const toml::table& table, std::string where, std::initializer_list<std::string_view> keys)
      : table_(table), where_(std::move(where)) {
    for (const auto& [key, value] : table) {
      if (std::find(keys.begin(), keys.end(), key.str()) == keys.end()) {
        throw bad_input("{}: unknown key '{}'; known are {}", where_, key.str(), fmt::join(keys, ", "));
      }
    }
  }

  [[nodiscard]] std::string text(std::string_view key) const {
    const auto value = table_[key].value<std::string>();
    if (!value.has_value() || value->empty()) throw bad_input("{} has no text '{}'", where_, key);
    return *value;
  }
  [[nodiscard]] bool flag(std::string_view key) const {
    if (!table_.contains(key)) return false;
    const auto value = table_[key].value_exact<bool>();
    if (!value.has_value()) throw bad_input("{}: '{}' must be true or false", where_, key);
    return *value;
  }
  [[nodiscard]] double number(std::string_view key, bool may_be_zero = false) const {
    const auto value = table_[key].value<double>();
    if (!value.has_value() || !std::isfinite(*value) || *value < 0 || (*value == 0 && !may_be_zero)) {
      throw bad_input("{}: '{}' must be a number greater than 0", where_, key);
    }
    return *value;
  }
  [[nodiscard]] int bits(std::string_view key) const {
    const auto value = table_[key].value_exact<std::int64_t>();
    if (!value.has_value() || *value < 1 || *value > 32) {
      throw bad_input("{}: '{}' must be a whole number from 1 to 32", where_, key);
    }
    return static_cast<int>(*value);
  }
  [[nodiscard]] const toml::table& table(std::string_view key) const {
    const toml::table* table = table_[key].as_table();
    if (table == nullptr) throw bad_input("{} has no section [{}]", where_, key);
    return *table;
  }
  [[nodiscard]] const toml::array& array(std::string_view key) const {
    const toml::array* array = table_[key].as_array();
    if (array == nullptr || array->empty()) throw bad_input("{} has no '{}'", where_, key);
    return *array;
  }

 private:
  const toml::table& table_;
  std::string where_;
};

const toml::table& table_of(const toml::node& node, const std::string& where) {
  const toml::table* table = node.as_table();
  if (table == nullptr) throw bad_input("{} must be a table", where);
  return *table;
}

std::vector<MemoryEnergy> read_memories(const toml::array& array, const std::string& path) {
  std::vector<MemoryEnergy> memories;
  for (const toml::node& node : array) {
    const std::string where = path + ": [[memory]]";
    const EnergyReader reader(table_of(node, where), where, {"name", "fj_per_bit", "uncertainty_percent", "source"});
    MemoryEnergy memory{reader.text("name"), reader.number("fj_per_bit"), reader.number("uncertainty_percent", true),
                        reader.text("source")};
    for (const MemoryEnergy& other : memories) {
      if (other.name == memory.name) throw bad_input("{}: there are two memories '{}'", path, memory.name);
    }
    memories.push_back(std::move(memory));
  }
  return memories;
}

MemoryEnergy find_memory(const std::vector<MemoryEnergy>& memories, const std::string& name, const std::string& path) {
  std::vector<std::string> names;
  for (const MemoryEnergy& memory : memories) {
    if (memory.name == name) return memory;
    names.push_back(memory.name);
  }
  throw bad_input("{} has no memory '{}'; it has {}", path, name, fmt::join(names, ", "));
}

}  // namespace

std::optional<double> EnergyTable::find(int weight_bits, int activation_bits) const {
  auto found = pairs.find({weight_bits, activation_bits});
  if (found == pairs.end() && symmetric) found = pairs.find({activation_bits, weight_bits});
  return found == pairs.end() ? std::nullopt : std::optional(found->second);
}

/// Between neighbours, on the logarithms of both.
std::optional<double> EnergyTable::on_line(int bits, const std::map<int, double>& known) const {
  const auto above = known.lower_bound(bits);
  if (above == known.end()) return std::nullopt;
  if (above->first == bits) return above->second;
  if (above == known.begin()) return std::nullopt;
  const auto below = std::prev(above);
  const double share =
      std::log2(static_cast<double>(bits) / below->first) / std::log2(static_cast<double>(above->first) / below->first);
  return std::exp(std::log(below->second) * (1 - share) + std::log(above->second) * share);
}

std::optional<double> EnergyTable::interpolated(int weight_bits, int activation_bits) const {
  int largest = 0;
  for (const auto& [pair, energy] : pairs) largest = std::max({largest, pair.first, pair.second});
  std::map<int, double> equal_widths;
  std::map<int, double> widest_partner;  // the wider of the two has the largest width
  const bool weight_is_wider = weight_bits > activation_bits;
  for (int bits = 1; bits <= largest; ++bits) {
    if (const auto energy = find(bits, bits)) equal_widths[bits] = *energy;
    if (const auto energy = weight_is_wider ? find(largest, bits) : find(bits, largest)) widest_partner[bits] = *energy;
  }
  const int narrow = std::min(weight_bits, activation_bits);
  const int wide = std::max(weight_bits, activation_bits);
  const auto low = on_line(narrow, equal_widths);
  if (narrow == wide || !low.has_value()) return low;
  const auto high = on_line(narrow, widest_partner);
  if (!high.has_value() || wide > largest) return std::nullopt;
  return on_line(wide, {{narrow, *low}, {largest, *high}});
}

double EnergyTable::mac_fj(int weight_bits, int activation_bits) const {
  if (const auto energy = find(weight_bits, activation_bits)) return *energy;
  if (interpolate) {
    if (const auto energy = interpolated(weight_bits, activation_bits)) return *energy;
  }
  throw bad_input("the energy table '{}' has no multiply-accumulate of {} x {} bits (weight x activation){}", name,
                  weight_bits, activation_bits,
                  interpolate ? ", nor pairs around it to interpolate between"
                              : ", and does not allow to interpolate; restrict the bits to the pairs it has");
}

bool EnergyTable::is_interpolated(int weight_bits, int activation_bits) const {
  return !find(weight_bits, activation_bits).has_value();
}

EnergyTable parse_energy_table(const std::string& text, const std::string& path, const std::string& weight_memory,
                               const std::string& activation_memory) {
  const toml::table root = parse_toml(text, path);
  if (root["kind"].value_or(std::string{}) != "accelerator") {
    throw bad_input("{} describes no accelerator (kind = \"accelerator\")", path);
  }
  const EnergyReader reader(
      root, path,
      {"kind", "description", "technology_nm", "relative", "symmetric", "interpolate", "mac", "memory", "traffic"});
  EnergyTable table;
  table.name = fs::path(path).stem();
  table.description = reader.text("description");
  table.technology_nm = reader.number("technology_nm");
  table.relative = reader.flag("relative");
  table.symmetric = reader.flag("symmetric");
  table.interpolate = reader.flag("interpolate");
  const EnergyReader mac(reader.table("mac"), path + ": [mac]", {"source", "uncertainty_percent", "pairs"});
  table.source = mac.text("source");
  table.uncertainty_percent = mac.number("uncertainty_percent", true);
  for (const toml::node& node : mac.array("pairs")) {
    const std::string where = path + ": pairs of [mac]";
    const EnergyReader pair(table_of(node, where), where, {"weight_bits", "activation_bits", "fj"});
    const std::pair<int, int> bits{pair.bits("weight_bits"), pair.bits("activation_bits")};
    const bool is_new = table.pairs.emplace(bits, pair.number("fj")).second;
    if (!is_new || (table.symmetric && bits.first != bits.second && table.pairs.contains({bits.second, bits.first}))) {
      throw bad_input("{}: the pair of {} x {} bits is there twice", path, bits.first, bits.second);
    }
  }
  const std::vector<MemoryEnergy> memories = read_memories(reader.array("memory"), path);
  const EnergyReader traffic(reader.table("traffic"), path + ": [traffic]", {"weights", "activations"});
  table.weights = find_memory(memories, weight_memory.empty() ? traffic.text("weights") : weight_memory, path);
  table.activations =
      find_memory(memories, activation_memory.empty() ? traffic.text("activations") : activation_memory, path);
  return table;
}

std::vector<std::string> energy_table_names() {
  std::vector<std::string> names;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(targets_directory() / "accelerators", unreadable)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

EnergyTable load_energy_table(const std::string& name, const std::string& weight_memory,
                              const std::string& activation_memory) {
  fs::path path = name;
  if (path.extension() != ".toml") {
    const std::vector<std::string> names = energy_table_names();
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw bad_input("there is no energy table '{}'; known are {} and any description in a .toml file", name,
                      fmt::join(names, ", "));
    }
    path = targets_directory() / "accelerators" / (name + ".toml");
  }
  return parse_energy_table(read_text(path, 1 << 20), path.string(), weight_memory, activation_memory);
}

}  // namespace trimtab
