#include "target/target.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/toml_file.h"
#include "target/power_file.h"
#include "target/share.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

struct NamedProcessor {
  Processor processor;
  std::string_view name;
};
constexpr std::array processors{NamedProcessor{Processor::cortex_m0plus, "cortex-m0plus"},
                                NamedProcessor{Processor::cortex_m3, "cortex-m3"},
                                NamedProcessor{Processor::cortex_m4, "cortex-m4"},
                                NamedProcessor{Processor::cortex_m7, "cortex-m7"},
                                NamedProcessor{Processor::cortex_m33, "cortex-m33"},
                                NamedProcessor{Processor::cortex_m55, "cortex-m55"},
                                NamedProcessor{Processor::cortex_a7, "cortex-a7"},
                                NamedProcessor{Processor::cortex_a15, "cortex-a15"},
                                NamedProcessor{Processor::cortex_a53, "cortex-a53"},
                                NamedProcessor{Processor::cortex_a55, "cortex-a55"},
                                NamedProcessor{Processor::cortex_a72, "cortex-a72"},
                                NamedProcessor{Processor::cortex_a76, "cortex-a76"},
                                NamedProcessor{Processor::rv32imc, "rv32imc"}};

constexpr std::int64_t most_hz = 10'000'000'000;
constexpr std::string_view microcontroller = "microcontroller";
constexpr std::string_view application_processor = "application processor";

/// Reads keys of one file and says what is wrong with them.
class TargetReader {
 public:
  TargetReader(const toml::table& table, std::string path) : table_(table), path_(std::move(path)) {}

  [[nodiscard]] std::string text(std::string_view key) const {
    const auto value = table_.at_path(key).value<std::string>();
    if (!value.has_value()) throw bad_input("{} has no text \"{}\"", path_, key);
    return *value;
  }
  [[nodiscard]] std::string text_or_empty(std::string_view key) const {
    return table_.at_path(key).value_or(std::string{});
  }
  /// section.key with section.source (or section.key_source) beside it.
  [[nodiscard]] Sourced number(const std::string& section, const std::string& key, std::int64_t minimum,
                               std::int64_t maximum = INT32_MAX) const {
    const auto value = table_.at_path(section + "." + key).value<std::int64_t>();
    if (!value.has_value() || *value < minimum || *value > maximum) {
      throw bad_input("{}: {}.{} must be a whole number from {} to {}", path_, section, key, minimum, maximum);
    }
    const auto own = table_.at_path(section + "." + key + "_source").value<std::string>();
    return {*value, own.has_value() ? *own : text(section + ".source")};
  }
  /// The same, or a word of 4 bytes where there is no such key.
  [[nodiscard]] Sourced number_or_word(const std::string& section, const std::string& key) const {
    if (!table_.at_path(section + "." + key)) return {4, "not known: a word"};
    return number(section, key, 4);
  }
  /// [flash.cache], where there is one.
  [[nodiscard]] std::optional<FlashCache> flash_cache(std::int64_t read_bytes) const {
    const std::string section = "flash.cache";
    if (!table_.at_path(section)) return std::nullopt;
    FlashCache cache;
    cache.instruction_lines = number(section, "instruction_lines", 1).value;
    cache.data_lines = number(section, "data_lines", 1).value;
    cache.line_bytes = number(section, "line_bytes", 4).value;
    cache.source = text(section + ".source");
    const auto prefetches = table_.at_path(section + ".prefetches").value<bool>();
    if (!prefetches.has_value()) throw bad_input("{}: flash.cache.prefetches must be true or false", path_);
    cache.prefetches = *prefetches;
    constexpr std::int64_t most_lines = 4096;
    if (cache.line_bytes % read_bytes != 0 || cache.instruction_lines > most_lines || cache.data_lines > most_lines) {
      throw bad_input("{}: a line of flash.cache must hold whole reads of {} bytes, and there may be {} lines", path_,
                      read_bytes, most_lines);
    }
    return cache;
  }
  [[nodiscard]] Processor processor() const {
    const std::string name = text("core");
    for (const NamedProcessor& known : processors) {
      if (known.name == name) return known.processor;
    }
    std::vector<std::string_view> names;
    for (const NamedProcessor& known : processors) names.push_back(known.name);
    throw bad_input("{}: core \"{}\" is unknown; known are {}", path_, name, fmt::join(names, ", "));
  }

 private:
  const toml::table& table_;
  std::string path_;
};

}  // namespace

std::string_view name_of(Processor processor) {
  return std::find_if(processors.begin(), processors.end(),
                      [&](const NamedProcessor& known) { return known.processor == processor; })
      ->name;
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(targets_directory(), unreadable)) {
    if (entry.path().extension() != ".toml") continue;
    const auto kind = read_toml(entry.path())["kind"].value_or(std::string{});
    if (kind == microcontroller || kind == application_processor) names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Target load_target(const std::string& name) {
  fs::path path = name;
  if (path.extension() != ".toml") {
    const std::vector<std::string> names = target_names();
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw bad_input("there is no target \"{}\"; known are {} and any description in a .toml file", name,
                      fmt::join(names, ", "));
    }
    path = targets_directory() / (name + ".toml");
  }
  const toml::table table = read_toml(path);
  const TargetReader reader(table, path.string());
  const std::string kind = reader.text("kind");
  if (kind != microcontroller && kind != application_processor) {
    throw bad_input("{} describes no microcontroller and no application processor", path.string());
  }
  Target target;
  target.name = path.stem();
  target.description = reader.text("description");
  target.processor = reader.processor();
  target.fpu = reader.text_or_empty("fpu");
  target.emulated_board = reader.text("emulated_board");
  target.clock_hz = reader.number("clock", "hz", 1, most_hz);
  target.ram_bytes = reader.number("ram", "bytes", 1024);
  target.power = read_power(table, path.string(), target.clock_hz.value);
  if (kind == application_processor) {
    target.flash_bytes = target.ram_bytes;
    target.flash_wait_states.source = target.flash_read_bytes.source = "a program lies in RAM";
    return target;
  }
  target.flash_bytes = reader.number("flash", "bytes", 1024);
  target.flash_wait_states = reader.number("flash", "wait_states", 0);
  target.flash_read_bytes = reader.number_or_word("flash", "read_bytes");
  target.flash_cache = reader.flash_cache(target.flash_read_bytes.value);
  return target;
}

Target at_clock(Target target, const PowerClock& clock) {
  target.clock_hz.value = clock.hz;
  target.flash_wait_states.value = clock.flash_wait_states;
  return target;
}

}  // namespace trimtab
