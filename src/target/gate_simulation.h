#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "target/liberty.h"
#include "target/netlist.h"

namespace trimtab {

/// The energy that a simulated stretch of time spent, in the library's femtojoules, all streams together.
struct SpentEnergy {
  double gates_fj = 0;       ///< toggles of gates' outputs (and of inputs of the circuit) with the loads they drive
  double glitches_fj = 0;    ///< the part of gates_fj that toggles took which cancel within a clock
  double registers_fj = 0;   ///< toggles of flip-flops' outputs with the loads they drive
  double clock_fj = 0;       ///< clock pins of the flip-flops that are loaded, and clock gates
  std::int64_t toggles = 0;  ///< of gates' outputs
  std::int64_t clocks = 0;   ///< of one stream

  [[nodiscard]] double total_fj() const { return gates_fj + registers_fj + clock_fj; }
};

/// A mapped netlist at work: event-driven, with the delay of every gate at its load and inertial (a pulse shorter than
/// a gate's delay does not come out of it), for 64 independent streams of stimuli at once, one per bit of a word. Wires
/// have neither capacitance nor delay; nothing leaks; the clock tree above the clock gates is not counted. Flip-flops
/// of one enable share clock gates, 32 flip-flops each; in a library without a clock gate its flip-flop's clock pin
/// stands for it.
class GateSimulation {
 public:
  static constexpr int streams = 64;

  /// All state is 0 and the gates have settled. Throws Error (failure) where gates form a loop.
  GateSimulation(const Netlist& netlist, const GateLibrary& library);

  /// The value of an input's bits for one stream; it is there right after the next clock's edge. Bit i of the port is
  /// bit i % 32 of words[i / 32]. Throws Error (failure) for a port that the circuit has not.
  void set_input(const std::string& port, int stream, std::span<const std::uint32_t> words);
  void set_input(const std::string& port, int stream, std::uint32_t word) { set_input(port, stream, {&word, 1}); }
  /// The same for all streams.
  void set_input_everywhere(const std::string& port, std::uint32_t word);

  /// One clock: flip-flops take what their data pins have, the inputs change, and the gates settle.
  void clock();

  /// The low 32 bits of an output.
  [[nodiscard]] std::uint32_t output(const std::string& port, int stream) const;

  /// Since the construction or the last call.
  [[nodiscard]] SpentEnergy take_energy();

  /// The longest that the gates took to settle after an edge, in inverter delays (an inverter that drives one).
  [[nodiscard]] double longest_path() const;

  /// Area with flip-flops and clock gates, in the library's unit.
  [[nodiscard]] double area() const { return area_; }

 private:
  using Word = std::uint64_t;
  struct FastGate {
    std::uint32_t first_step = 0;
    std::uint32_t steps = 0;
    NetId output = -1;
    std::int32_t delay = 1;  ///< ticks
  };

  void build_gates(const GateLibrary& library);
  void price_nets(const GateLibrary& library);
  void group_registers(const GateLibrary& library);
  [[nodiscard]] Word evaluate(const FastGate& gate) const;
  void settle_without_delay();
  void toggle(NetId net, Word lanes);
  void schedule(std::int32_t gate, std::int64_t now);

  struct EnableGroup {
    NetId enable = -1;
    double flip_flops_fj = 0;  ///< a clock of all of them
    double gates_fj = 0;       ///< of the clock gates, at every clock, enabled or not
    double opened_fj = 0;      ///< of the clock gates, where enabled, besides
  };
  struct Step {
    LogicStep::Kind kind = LogicStep::Kind::zero;
    NetId net = 0;
  };

  const Netlist& netlist_;
  std::vector<FastGate> gates_;
  std::vector<Step> steps_;
  std::vector<std::uint32_t> first_reader_;  ///< by net, into readers_
  std::vector<std::int32_t> readers_;        ///< gates
  std::vector<Word> values_;                 ///< by net
  std::vector<Word> next_inputs_;            ///< by net, of inputs
  std::vector<NetId> input_nets_;
  std::vector<double> fj_;               ///< of one toggle, by net
  std::vector<std::int64_t> toggles_;    ///< by net
  std::vector<std::int64_t> necessary_;  ///< by net: toggles that a circuit without delays would make
  std::vector<bool> is_register_;        ///< by net
  std::vector<EnableGroup> groups_;
  std::vector<std::int64_t> group_clocks_;  ///< by group, of all streams

  // The time wheel. pending_[gate * slots_ + slot]: lanes that toggle then.
  std::int32_t slots_ = 1;
  std::vector<Word> pending_;
  std::vector<Word> projected_;  ///< by gate: its output when all that is pending has come
  std::vector<std::vector<std::int32_t>> wheel_;
  std::vector<std::int32_t> touched_;  ///< gates to evaluate at this tick
  std::vector<bool> is_touched_;
  std::vector<Word> settled_;  ///< by net: values after the last clock
  double tick_ = 1;            ///< in the library's time
  double inverter_ = 1;
  std::int64_t longest_ticks_ = 0;
  std::int64_t clocks_ = 0;
  double area_ = 0;
};

}  // namespace trimtab
