#include "target/gate_simulation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/index.h"

namespace trimtab {
namespace {

constexpr int flip_flops_per_clock_gate = 32;
/// A gate that drives very much (selects that are constant while a layer runs) would get buffers: its delay ends here.
constexpr std::int32_t most_slots = 32;

std::vector<std::string> input_names(const LibertyCell& cell) {
  std::vector<std::string> names;
  for (const LibertyPin& pin : cell.pins) {
    if (!pin.is_output) names.push_back(pin.name);
  }
  return names;
}

/// The delay of the library's smallest inverter that drives one of its kind.
double inverter_delay(const GateLibrary& library) {
  const LibertyCell* best = nullptr;
  for (const auto& [name, cell] : library.cells) {
    const LibertyPin* output = cell.output();
    if (output == nullptr || !cell.clock.empty() || cell.pins.size() != 2 || output->function.empty()) continue;
    const auto steps = compile_function(output->function, input_names(cell), "cell " + name);
    if (steps.size() == 2 && (best == nullptr || cell.area < best->area)) best = &cell;
  }
  if (best == nullptr) return 1;
  const double load = best->pins[0].is_output ? best->pins[1].capacitance : best->pins[0].capacitance;
  return std::max(best->output()->delay.at(load), 1e-9);
}

}  // namespace

GateSimulation::GateSimulation(const Netlist& netlist, const GateLibrary& library) : netlist_(netlist) {
  const auto nets = static_cast<std::size_t>(netlist.nets);
  values_.assign(nets, 0);
  values_[1] = ~Word{0};
  next_inputs_.assign(nets, 0);
  fj_.assign(nets, 0);
  toggles_.assign(nets, 0);
  necessary_.assign(nets, 0);
  is_register_.assign(nets, false);
  for (const auto& [name, bits] : netlist.inputs) input_nets_.insert(input_nets_.end(), bits.begin(), bits.end());
  price_nets(library);
  build_gates(library);
  group_registers(library);
  settle_without_delay();
  settled_ = values_;
}

/// Every pin of a net adds its capacitance and what its cell spends when the pin toggles.
void GateSimulation::price_nets(const GateLibrary& library) {
  std::vector<double>& fj = fj_;
  const auto add_input = [&](NetId net, const LibertyPin& pin) {
    nth(fj, net) += library.switching_fj(pin.capacitance) + library.internal_fj(pin.internal_energy);
  };
  const auto add_output = [&](NetId net, const LibertyPin& pin) {
    nth(fj, net) += library.internal_fj(pin.internal_energy);
  };
  for (const Netlist::Gate& gate : netlist_.gates) {
    std::size_t input = 0;
    for (const LibertyPin& pin : gate.cell->pins) {
      if (pin.is_output) {
        add_output(gate.output, pin);
      } else {
        add_input(gate.inputs[input++], pin);
      }
    }
    area_ += gate.cell->area;
  }
  const LibertyCell& flip_flop = library.flip_flop();
  for (const Netlist::FlipFlop& each : netlist_.flip_flops) {
    add_input(each.data, *flip_flop.find(flip_flop.next_state));
    add_output(each.output, *flip_flop.output());
    nth(is_register_, each.output) = true;
    area_ += flip_flop.area;
  }
}

void GateSimulation::build_gates(const GateLibrary& library) {
  // Loads, for the delays.
  std::vector<double> load(fj_.size(), 0);
  for (const Netlist::Gate& gate : netlist_.gates) {
    std::size_t input = 0;
    for (const LibertyPin& pin : gate.cell->pins) {
      if (!pin.is_output) nth(load, gate.inputs[input++]) += pin.capacitance;
    }
  }
  inverter_ = inverter_delay(library);
  tick_ = inverter_ / 2;

  std::map<const LibertyCell*, std::vector<LogicStep>> functions;
  std::vector<std::vector<std::int32_t>> readers(fj_.size());
  std::int32_t longest = 1;
  for (const Netlist::Gate& gate : netlist_.gates) {
    auto [function, is_new] = functions.try_emplace(gate.cell);
    if (is_new) {
      function->second =
          compile_function(gate.cell->output()->function, input_names(*gate.cell), "cell " + gate.cell->name);
    }
    FastGate fast;
    fast.first_step = static_cast<std::uint32_t>(steps_.size());
    fast.steps = static_cast<std::uint32_t>(function->second.size());
    fast.output = gate.output;
    const double delay = gate.cell->output()->delay.at(nth(load, gate.output));
    fast.delay =
        static_cast<std::int32_t>(std::clamp(std::round(delay / tick_), 1.0, static_cast<double>(most_slots - 1)));
    longest = std::max(longest, fast.delay);
    for (const LogicStep& step : function->second) {
      steps_.push_back({step.kind, step.kind == LogicStep::Kind::input ? gate.inputs[step.input] : NetId{0}});
    }
    for (const NetId net : gate.inputs) {
      auto& of_net = nth(readers, net);
      const auto index = static_cast<std::int32_t>(gates_.size());
      if (of_net.empty() || of_net.back() != index) of_net.push_back(index);
    }
    gates_.push_back(fast);
  }
  first_reader_.push_back(0);
  for (const auto& of_net : readers) {
    readers_.insert(readers_.end(), of_net.begin(), of_net.end());
    first_reader_.push_back(static_cast<std::uint32_t>(readers_.size()));
  }
  slots_ = longest + 1;
  wheel_.resize(static_cast<std::size_t>(slots_));
  pending_.assign(gates_.size() * static_cast<std::size_t>(slots_), 0);
  projected_.assign(gates_.size(), 0);
  is_touched_.assign(gates_.size(), false);
}

void GateSimulation::group_registers(const GateLibrary& library) {
  std::map<NetId, int> sizes;
  for (const Netlist::FlipFlop& each : netlist_.flip_flops) ++sizes[each.enable];
  const LibertyCell& flip_flop = library.flip_flop();
  const LibertyPin& clock = *flip_flop.find(flip_flop.clock);
  const double clock_fj = 2 * (library.switching_fj(clock.capacitance) + library.internal_fj(clock.internal_energy));
  const LibertyCell* gate = library.clock_gate();
  double gate_fj = clock_fj;
  double opened_fj = 0;
  if (gate != nullptr) {
    const LibertyPin& pin = *gate->find(gate->clock);
    gate_fj = 2 * (library.switching_fj(pin.capacitance) + library.internal_fj(pin.internal_energy));
    if (gate->output() != nullptr) opened_fj = 2 * library.internal_fj(gate->output()->internal_energy);
  }
  for (const auto& [enable, size] : sizes) {
    EnableGroup group;
    group.enable = enable;
    group.flip_flops_fj = clock_fj * size;
    if (enable >= 0) {
      const int count = (size + flip_flops_per_clock_gate - 1) / flip_flops_per_clock_gate;
      group.gates_fj = gate_fj * count;
      group.opened_fj = opened_fj * count;
      area_ += (gate != nullptr ? gate->area : flip_flop.area) * count;
    }
    groups_.push_back(group);
  }
  group_clocks_.assign(groups_.size(), 0);
}

GateSimulation::Word GateSimulation::evaluate(const FastGate& gate) const {
  std::array<Word, most_logic_depth> stack;  // not set to 0: this is where the time goes
  std::size_t top = 0;
  for (std::uint32_t index = gate.first_step; index < gate.first_step + gate.steps; ++index) {
    const Step& step = steps_[index];
    switch (step.kind) {
      case LogicStep::Kind::input:
        stack[top++] = nth(values_, step.net);
        break;
      case LogicStep::Kind::zero:
        stack[top++] = 0;
        break;
      case LogicStep::Kind::one:
        stack[top++] = ~Word{0};
        break;
      case LogicStep::Kind::invert:
        stack[top - 1] = ~stack[top - 1];
        break;
      case LogicStep::Kind::conjunction:
        --top;
        stack[top - 1] &= stack[top];
        break;
      case LogicStep::Kind::disjunction:
        --top;
        stack[top - 1] |= stack[top];
        break;
      case LogicStep::Kind::exclusive:
        --top;
        stack[top - 1] ^= stack[top];
        break;
    }
  }
  return stack[0];
}

/// Evaluates until nothing changes: as many rounds as the deepest path has gates.
void GateSimulation::settle_without_delay() {
  for (std::size_t round = 0; round <= gates_.size(); ++round) {
    bool changed = false;
    for (std::size_t index = 0; index < gates_.size(); ++index) {
      const Word value = evaluate(gates_[index]);
      Word& net = nth(values_, gates_[index].output);
      changed = changed || net != value;
      net = value;
      projected_[index] = value;
    }
    if (!changed) return;
  }
  throw failure("the gates of {} form a loop", netlist_.top);
}

void GateSimulation::toggle(NetId net, Word lanes) {
  const auto index = static_cast<std::size_t>(net);
  values_[index] ^= lanes;
  toggles_[index] += std::popcount(lanes);
  for (std::uint32_t reader = first_reader_[index]; reader < first_reader_[index + 1]; ++reader) {
    const std::int32_t gate = readers_[reader];
    if (nth(is_touched_, gate)) continue;
    nth(is_touched_, gate) = true;
    touched_.push_back(gate);
  }
}

/// Lanes whose value is on its way already are called back: the pulse was shorter than the delay.
void GateSimulation::schedule(std::int32_t gate, std::int64_t now) {
  const auto index = static_cast<std::size_t>(gate);
  const Word target = evaluate(gates_[index]);
  const Word changing = target ^ projected_[index];
  if (changing == 0) return;
  const Word on_the_way = projected_[index] ^ nth(values_, gates_[index].output);
  Word* slots = &pending_[index * static_cast<std::size_t>(slots_)];
  if (const Word called_back = changing & on_the_way; called_back != 0) {
    for (std::int32_t slot = 0; slot < slots_; ++slot) slots[slot] &= ~called_back;
  }
  if (const Word starting = changing & ~on_the_way; starting != 0) {
    const auto slot = static_cast<std::size_t>((now + gates_[index].delay) % slots_);
    if (slots[slot] == 0) wheel_[slot].push_back(gate);
    slots[slot] |= starting;
  }
  projected_[index] = target;
}

void GateSimulation::clock() {
  // All data pins are read before any output changes.
  std::vector<std::pair<NetId, Word>> loads;
  loads.reserve(netlist_.flip_flops.size());
  for (const Netlist::FlipFlop& each : netlist_.flip_flops) {
    const Word enabled = each.enable < 0 ? ~Word{0} : nth(values_, each.enable);
    const Word change = (nth(values_, each.data) ^ nth(values_, each.output));
    if ((change & enabled) != 0) loads.emplace_back(each.output, change & enabled);
  }
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const NetId enable = groups_[group].enable;
    group_clocks_[group] += enable < 0 ? streams : std::popcount(nth(values_, enable));
  }
  for (const auto& [net, lanes] : loads) toggle(net, lanes);
  for (const NetId net : input_nets_) {
    const Word change = nth(values_, net) ^ nth(next_inputs_, net);
    if (change != 0) toggle(net, change);
  }

  std::int64_t now = 0;
  std::int64_t last_event = 0;
  std::int64_t quiet = 0;
  std::vector<std::int32_t> due;
  for (;; ++now) {
    due.swap(nth(wheel_, now % slots_));
    for (const std::int32_t gate : due) {
      Word& lanes = pending_[static_cast<std::size_t>(gate) * static_cast<std::size_t>(slots_) +
                             static_cast<std::size_t>(now % slots_)];
      if (lanes != 0) {
        toggle(nth(gates_, gate).output, lanes);
        last_event = now;
      }
      lanes = 0;
    }
    due.clear();
    quiet = touched_.empty() ? quiet + 1 : 0;
    for (const std::int32_t gate : touched_) {
      nth(is_touched_, gate) = false;
      schedule(gate, now);
    }
    touched_.clear();
    if (quiet > slots_) break;
  }
  longest_ticks_ = std::max(longest_ticks_, last_event);

  for (std::size_t net = 0; net < values_.size(); ++net) {
    necessary_[net] += std::popcount(values_[net] ^ settled_[net]);
  }
  settled_ = values_;
  ++clocks_;
}

void GateSimulation::set_input(const std::string& port, int stream, std::span<const std::uint32_t> words) {
  const auto found = netlist_.inputs.find(port);
  if (found == netlist_.inputs.end()) throw failure("{} has no input {}", netlist_.top, port);
  const Word lane = Word{1} << static_cast<unsigned>(stream);
  for (std::size_t bit = 0; bit < found->second.size() && bit / 32 < words.size(); ++bit) {
    Word& value = nth(next_inputs_, found->second[bit]);
    value = (words[bit / 32] >> (bit % 32) & 1U) != 0 ? value | lane : value & ~lane;
  }
}

void GateSimulation::set_input_everywhere(const std::string& port, std::uint32_t word) {
  for (int stream = 0; stream < streams; ++stream) set_input(port, stream, word);
}

std::uint32_t GateSimulation::output(const std::string& port, int stream) const {
  const auto found = netlist_.outputs.find(port);
  if (found == netlist_.outputs.end()) throw failure("{} has no output {}", netlist_.top, port);
  std::uint32_t word = 0;
  for (std::size_t bit = 0; bit < std::min<std::size_t>(found->second.size(), 32); ++bit) {
    const Word value = nth(values_, found->second[bit]);
    word |= static_cast<std::uint32_t>(value >> static_cast<unsigned>(stream) & 1U) << bit;
  }
  return word;
}

SpentEnergy GateSimulation::take_energy() {
  SpentEnergy spent;
  for (std::size_t net = 0; net < fj_.size(); ++net) {
    const double fj = static_cast<double>(toggles_[net]) * fj_[net];
    if (is_register_[net]) {
      spent.registers_fj += fj;
    } else {
      spent.gates_fj += fj;
      spent.glitches_fj += static_cast<double>(toggles_[net] - necessary_[net]) * fj_[net];
      spent.toggles += toggles_[net];
    }
  }
  spent.clocks = clocks_;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const auto opened = static_cast<double>(group_clocks_[group]);
    spent.clock_fj += opened * (groups_[group].flip_flops_fj + groups_[group].opened_fj) +
                      static_cast<double>(clocks_) * streams * groups_[group].gates_fj;
  }
  std::fill(toggles_.begin(), toggles_.end(), 0);
  std::fill(necessary_.begin(), necessary_.end(), 0);
  std::fill(group_clocks_.begin(), group_clocks_.end(), 0);
  clocks_ = 0;
  return spent;
}

double GateSimulation::longest_path() const { return static_cast<double>(longest_ticks_) * tick_ / inverter_; }

}  // namespace trimtab
