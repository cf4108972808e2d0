#include "target/liberty.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "target/liberty_syntax.h"

namespace trimtab {
namespace {

/// The numbers of a table that are of use here: its middle, and a line over the load.
struct Table {
  double middle = 0;
  GateDelay line;
};

/// Reads one library; tables refer to templates for their axes.
class LibraryReader {
 public:
  LibraryReader(const LibertyGroup& root, std::string path) : root_(root), path_(std::move(path)) {
    for (const LibertyGroup& group : root.groups) {
      if (group.kind.ends_with("_template")) templates_[group.name()] = &group;
    }
  }

  [[nodiscard]] GateLibrary read() const {
    GateLibrary library;
    library.name = root_.name();
    library.capacitance_ff = capacitance_unit();
    library.voltage = voltage();
    for (const LibertyGroup& group : root_.groups) {
      if (group.kind != "cell") continue;
      LibertyCell cell = read_cell(group);
      if (!library.cells.emplace(cell.name, cell).second) {
        throw bad_input("{}, line {}: the cell {} is there twice", path_, group.line, cell.name);
      }
    }
    return library;
  }

 private:
  [[nodiscard]] double number(const std::string& text, int line) const {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
      throw bad_input("{}, line {}: '{}' is no number", path_, line, text);
    }
    return value;
  }

  [[nodiscard]] double number_or(const LibertyGroup& group, const std::string& key, double otherwise) const {
    const std::string* text = group.find(key);
    return text == nullptr ? otherwise : number(*text, group.line);
  }

  [[nodiscard]] double capacitance_unit() const {
    const std::string* text = root_.find("capacitive_load_unit");  // "1,ff"
    if (text == nullptr) throw bad_input("{} has no capacitive_load_unit", path_);
    const auto comma = text->find(',');
    std::string unit = comma == std::string::npos ? std::string{} : text->substr(comma + 1);
    std::transform(unit.begin(), unit.end(), unit.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    if (unit != "ff" && unit != "pf") throw bad_input("{}: capacitive_load_unit must be in ff or pf", path_);
    const double value = number(text->substr(0, comma), root_.line) * (unit == "pf" ? 1000.0 : 1.0);
    if (value <= 0) throw bad_input("{}: capacitive_load_unit must be greater than 0", path_);
    return value;
  }

  [[nodiscard]] double voltage() const {
    const double value = number_or(root_, "nom_voltage", 0);
    if (value <= 0) throw bad_input("{} has no nom_voltage greater than 0", path_);
    return value;
  }

  /// Comma-separated numbers.
  [[nodiscard]] std::vector<double> numbers(const std::string& text, int line) const {
    std::vector<double> result;
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find_first_of(", \t", begin), text.size());
      if (end > begin) result.push_back(number(text.substr(begin, end - begin), line));
      begin = end + 1;
    }
    return result;
  }

  [[nodiscard]] std::vector<double> index(const LibertyGroup& table, const std::string& key) const {
    if (const std::string* own = table.find(key)) return numbers(*own, table.line);
    const auto found = templates_.find(table.name());
    if (found == templates_.end()) return {};
    const std::string* shared = found->second->find(key);
    return shared == nullptr ? std::vector<double>{} : numbers(*shared, found->second->line);
  }

  [[nodiscard]] Table read_table(const LibertyGroup& table) const {
    const std::string* text = table.find("values");
    if (text == nullptr) throw bad_input("{}, line {}: {} has no values", path_, table.line, table.kind);
    const std::vector<double> values = numbers(*text, table.line);
    if (values.empty()) throw bad_input("{}, line {}: {} has no values", path_, table.line, table.kind);
    std::vector<double> first = index(table, "index_1");
    std::vector<double> second = index(table, "index_2");
    if (values.size() == 1) return {values[0], {values[0], 0}};
    const bool is_plane = !second.empty();
    if (values.size() != first.size() * (is_plane ? second.size() : 1)) {
      throw bad_input("{}, line {}: the {} values of {} do not fit its axes of {} and {}", path_, table.line,
                      values.size(), table.kind, first.size(), second.size());
    }
    bool load_first = !is_plane;
    if (const auto found = templates_.find(table.name()); found != templates_.end()) {
      const std::string* variable = found->second->find("variable_1");
      load_first = variable != nullptr && variable->find("capacitance") != std::string::npos;
    }
    const std::size_t rows = first.size();
    const std::size_t columns = is_plane ? second.size() : 1;
    const std::vector<double>& loads = load_first || !is_plane ? first : second;
    const auto at = [&](std::size_t load) {
      return load_first || !is_plane ? values[load * columns + (columns - 1) / 2]
                                     : values[(rows - 1) / 2 * columns + load];
    };
    Table result;
    result.middle = values[(rows - 1) / 2 * columns + (columns - 1) / 2];
    result.line.at_zero = at(0);
    if (loads.size() > 1 && loads.back() > loads.front()) {
      result.line.per_load = (at(loads.size() - 1) - at(0)) / (loads.back() - loads.front());
      result.line.at_zero -= result.line.per_load * loads.front();
    }
    return result;
  }

  /// Mean over the conditions (related pins, states) of the mean of rise and fall.
  [[nodiscard]] double internal_energy(const LibertyGroup& pin) const {
    double sum = 0;
    int conditions = 0;
    for (const LibertyGroup& group : pin.groups) {
      if (group.kind != "internal_power") continue;
      double energy = 0;
      int tables = 0;
      for (const LibertyGroup& table : group.groups) {
        if (table.kind != "power" && table.kind != "rise_power" && table.kind != "fall_power") continue;
        energy += read_table(table).middle;
        ++tables;
      }
      if (tables == 0) continue;
      sum += energy / tables;
      ++conditions;
    }
    return conditions == 0 ? 0 : sum / conditions;
  }

  [[nodiscard]] GateDelay delay(const LibertyGroup& pin) const {
    GateDelay sum;
    int arcs = 0;
    for (const LibertyGroup& group : pin.groups) {
      if (group.kind != "timing") continue;
      for (const LibertyGroup& table : group.groups) {
        if (table.kind != "cell_rise" && table.kind != "cell_fall") continue;
        const Table read = read_table(table);
        sum.at_zero += read.line.at_zero;
        sum.per_load += read.line.per_load;
        ++arcs;
      }
    }
    if (arcs == 0) return {};
    return {sum.at_zero / arcs, sum.per_load / arcs};
  }

  [[nodiscard]] LibertyCell read_cell(const LibertyGroup& group) const {
    LibertyCell cell;
    cell.name = group.name();
    cell.area = number_or(group, "area", 0);
    const auto says_true = [&group](const char* key) {
      const std::string* text = group.find(key);
      return text != nullptr && *text == "true";
    };
    cell.is_usable = !says_true("dont_use");
    cell.is_clock_gate = group.find("clock_gating_integrated_cell") != nullptr;
    for (const LibertyGroup& part : group.groups) {
      if (part.kind == "ff") read_flip_flop(part, cell);
      if (part.kind == "pin") read_pin(part, cell);
    }
    return cell;
  }

  static void read_flip_flop(const LibertyGroup& part, LibertyCell& cell) {
    const std::string* clock = part.find("clocked_on");
    const std::string* next = part.find("next_state");
    if (clock == nullptr || next == nullptr) return;
    // A flip-flop that can be cleared or set is no plain one.
    cell.is_flip_flop = part.find("clear") == nullptr && part.find("preset") == nullptr;
    cell.clock = *clock;
    cell.next_state = *next;
  }

  void read_pin(const LibertyGroup& part, LibertyCell& cell) const {
    LibertyPin pin;
    pin.name = part.name();
    const std::string* direction = part.find("direction");
    pin.is_output = direction != nullptr && *direction == "output";
    pin.capacitance = number_or(part, "capacitance", 0);
    pin.internal_energy = internal_energy(part);
    pin.delay = delay(part);
    if (const std::string* function = part.find("function")) pin.function = *function;
    if (const std::string* is_clock = part.find("clock_gate_clock_pin"); is_clock != nullptr && *is_clock == "true") {
      cell.clock = pin.name;
    }
    cell.pins.push_back(std::move(pin));
  }

  const LibertyGroup& root_;
  std::string path_;
  std::map<std::string, const LibertyGroup*> templates_;
};

/// Whether the library has a gate of so many inputs whose function `accept` takes. Mapping needs such gates.
bool has_gate(const GateLibrary& library, const std::string& path, std::size_t inputs, auto&& accept) {
  return std::any_of(library.cells.begin(), library.cells.end(), [&](const auto& entry) {
    const LibertyCell& cell = entry.second;
    const LibertyPin* output = cell.output();
    if (!cell.is_usable || !cell.clock.empty() || output == nullptr || output->function.empty() ||
        cell.pins.size() != inputs + 1) {
      return false;
    }
    std::vector<std::string> names;
    for (const LibertyPin& pin : cell.pins) {
      if (!pin.is_output) names.push_back(pin.name);
    }
    return names.size() == inputs && accept(compile_function(output->function, names, path + ", cell " + cell.name));
  });
}

/// A recursive-descent reader of a Liberty function: ! and ' bind closest, then & * and juxtaposition, then ^, then |
/// +.
class FunctionReader {
 public:
  FunctionReader(std::string_view text, const std::vector<std::string>& inputs, const std::string& where)
      : text_(text), inputs_(inputs), where_(where) {}

  std::vector<LogicStep> read() {
    disjunction(0);
    if (peek() != '\0') fail();
    if (stack_depth() > most_logic_depth) throw bad_input("{}: the function \"{}\" is too deep", where_, text_);
    return std::move(steps_);
  }

 private:
  [[noreturn]] void fail() const {
    throw bad_input("{}: the function \"{}\" is not understood at character {}", where_, text_, position_ + 1);
  }
  [[nodiscard]] int stack_depth() const {
    int depth = 0;
    int most = 0;
    for (const LogicStep& step : steps_) {
      if (step.kind <= LogicStep::Kind::one) {
        most = std::max(most, ++depth);
      } else if (step.kind != LogicStep::Kind::invert) {
        --depth;
      }
    }
    return most;
  }
  char peek() {
    while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])) != 0) ++position_;
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  static bool is_name(char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' || letter == '[' || letter == ']';
  }
  void emit(LogicStep::Kind kind, std::size_t input = 0) { steps_.push_back({kind, static_cast<std::uint8_t>(input)}); }
  void disjunction(int depth) {
    exclusive(depth);
    while (peek() == '|' || peek() == '+') {
      ++position_;
      exclusive(depth);
      emit(LogicStep::Kind::disjunction);
    }
  }
  void exclusive(int depth) {
    conjunction(depth);
    while (peek() == '^') {
      ++position_;
      conjunction(depth);
      emit(LogicStep::Kind::exclusive);
    }
  }
  void conjunction(int depth) {
    factor(depth);
    for (;;) {
      const char next = peek();
      if (next == '&' || next == '*') {
        ++position_;
      } else if (next != '(' && next != '!' && !is_name(next)) {
        return;
      }
      factor(depth);
      emit(LogicStep::Kind::conjunction);
    }
  }
  void factor(int depth) {
    if (depth > 64) fail();
    const char next = peek();
    if (next == '!') {
      ++position_;
      factor(depth + 1);
      emit(LogicStep::Kind::invert);
      return;
    }
    if (next == '(') {
      ++position_;
      disjunction(depth + 1);
      if (peek() != ')') fail();
      ++position_;
    } else {
      name();
    }
    while (peek() == '\'') {
      ++position_;
      emit(LogicStep::Kind::invert);
    }
  }
  void name() {
    const std::size_t begin = position_;
    while (position_ < text_.size() && is_name(text_[position_])) ++position_;
    const std::string_view word = text_.substr(begin, position_ - begin);
    const auto found = std::find(inputs_.begin(), inputs_.end(), word);
    if (found != inputs_.end()) {
      emit(LogicStep::Kind::input, static_cast<std::size_t>(found - inputs_.begin()));
    } else if (word == "0" || word == "1") {
      emit(word == "0" ? LogicStep::Kind::zero : LogicStep::Kind::one);
    } else {
      position_ = begin;
      fail();
    }
  }

  std::string_view text_;
  const std::vector<std::string>& inputs_;
  const std::string& where_;
  std::size_t position_ = 0;
  std::vector<LogicStep> steps_;
};

}  // namespace

const LibertyPin* LibertyCell::find(std::string_view pin) const {
  const auto found = std::find_if(pins.begin(), pins.end(), [&](const LibertyPin& each) { return each.name == pin; });
  return found == pins.end() ? nullptr : &*found;
}

const LibertyPin* LibertyCell::output() const {
  const auto found = std::find_if(pins.begin(), pins.end(), [](const LibertyPin& each) { return each.is_output; });
  return found == pins.end() ? nullptr : &*found;
}

const LibertyCell& GateLibrary::flip_flop() const {
  const LibertyCell* best = nullptr;
  for (const auto& [name_of_cell, cell] : cells) {
    const LibertyPin* data = cell.find(cell.next_state);
    if (!cell.is_flip_flop || !cell.is_usable || data == nullptr || cell.find(cell.clock) == nullptr) continue;
    if (best == nullptr || cell.area < best->area) best = &cell;
  }
  if (best == nullptr) throw bad_input("the library {} has no plain flip-flop", name);
  return *best;
}

const LibertyCell* GateLibrary::clock_gate() const {
  const LibertyCell* best = nullptr;
  for (const auto& [name_of_cell, cell] : cells) {
    if (!cell.is_clock_gate || cell.find(cell.clock) == nullptr) continue;
    if (best == nullptr || cell.area < best->area) best = &cell;
  }
  return best;
}

std::vector<LogicStep> compile_function(std::string_view function, const std::vector<std::string>& inputs,
                                        const std::string& where) {
  return FunctionReader(function, inputs, where).read();
}

GateLibrary parse_liberty(std::string_view text, const std::string& path) {
  const LibertyGroup root = parse_liberty_syntax(text, path);
  if (root.kind != "library") throw bad_input("{} begins with '{}', not with a library", path, root.kind);
  GateLibrary library = LibraryReader(root, path).read();
  using Kind = LogicStep::Kind;
  const auto is_inverter = [](const std::vector<LogicStep>& steps) {
    return steps.size() == 2 && steps[0].kind == Kind::input && steps[1].kind == Kind::invert;
  };
  const auto is_buffer = [](const std::vector<LogicStep>& steps) {
    return steps.size() == 1 && steps[0].kind == Kind::input;
  };
  if (!has_gate(library, path, 1, is_inverter)) throw bad_input("{} has no inverter, which synthesis needs", path);
  if (!has_gate(library, path, 1, is_buffer)) throw bad_input("{} has no buffer, which synthesis needs", path);
  if (!has_gate(library, path, 2, [](const auto&) { return true; })) {
    throw bad_input("{} has no gate of two inputs, which synthesis needs", path);
  }
  const bool has_flip_flop = std::any_of(library.cells.begin(), library.cells.end(), [](const auto& entry) {
    const LibertyCell& cell = entry.second;
    return cell.is_flip_flop && cell.is_usable && cell.find(cell.next_state) != nullptr &&
           cell.find(cell.clock) != nullptr;
  });
  if (!has_flip_flop) throw bad_input("{} has no flip-flop without set and reset, which synthesis needs", path);
  return library;
}

}  // namespace trimtab
