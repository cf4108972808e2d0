#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

/// A delay as a function of the load, both in the units of the library: a line through the ends of its table.
struct GateDelay {
  double at_zero = 0;
  double per_load = 0;
  [[nodiscard]] double at(double load) const { return at_zero + per_load * load; }
};

struct LibertyPin {
  std::string name;
  bool is_output = false;
  double capacitance = 0;  ///< in the library's unit
  double internal_energy =
      0;                 ///< of one transition, in the library's unit; mean of rise and fall and of all conditions
  GateDelay delay;       ///< of an output; mean of all arcs
  std::string function;  ///< of an output: an expression of input pins
};

/// One word operation of a gate's function, on a stack of at most most_logic_depth words.
inline constexpr int most_logic_depth = 16;
struct LogicStep {
  enum class Kind : std::uint8_t { input, zero, one, invert, conjunction, disjunction, exclusive };
  Kind kind = Kind::zero;
  std::uint8_t input = 0;
};

struct LibertyCell {
  std::string name;
  double area = 0;
  std::vector<LibertyPin> pins;
  std::string clock;       ///< pin that the flip-flop or clock gate is clocked by; empty for gates
  std::string next_state;  ///< of a flip-flop
  bool is_flip_flop = false;
  bool is_clock_gate = false;
  bool is_usable = true;  ///< no dont_use

  [[nodiscard]] const LibertyPin* find(std::string_view pin) const;
  [[nodiscard]] const LibertyPin* output() const;
};

/// A gate library: what is needed of a Liberty file to price the toggles of a netlist. Energies of a transition: half
/// the load times the supply squared, and what the cell itself spends (internal_power).
struct GateLibrary {
  std::string name;
  double capacitance_ff = 1;  ///< of the library's unit of capacitance
  double voltage = 1;
  std::map<std::string, LibertyCell> cells;

  /// Femtojoules that charging or discharging a capacitance (in the library's unit) takes.
  [[nodiscard]] double switching_fj(double capacitance) const {
    return 0.5 * capacitance * capacitance_ff * voltage * voltage;
  }
  /// Femtojoules of an internal energy: the library's unit is the unit of capacitance times 1 V squared.
  [[nodiscard]] double internal_fj(double energy) const { return energy * capacitance_ff; }

  /// The smallest plain flip-flop (one clock, one data pin, no set, reset or scan).
  [[nodiscard]] const LibertyCell& flip_flop() const;
  /// The smallest clock gate, if there is one.
  [[nodiscard]] const LibertyCell* clock_gate() const;
};

/// Reads the parts of a Liberty file that are needed here: units, area, pins, functions, internal power and delays.
/// Throws Error (bad input), naming the path and the line, for text that is not Liberty, and for a library that lacks
/// what synthesis needs: an inverter, a buffer, a gate of two inputs that inverts, and a plain flip-flop.
[[nodiscard]] GateLibrary parse_liberty(std::string_view text, const std::string& path);

/// A gate's function over `inputs` (their places in it). Throws Error (bad input), naming `where`, for what is no
/// function of these pins.
[[nodiscard]] std::vector<LogicStep> compile_function(std::string_view function, const std::vector<std::string>& inputs,
                                                      const std::string& where);

}  // namespace trimtab
