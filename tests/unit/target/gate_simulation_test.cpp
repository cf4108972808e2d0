#include "target/gate_simulation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "base/file.h"
#include "target/netlist.h"

// Small circuits whose energy follows by hand from the library's numbers.
namespace trimtab {
namespace {

class GateSimulationTest : public testing::Test {
 protected:
  static std::string path() { return TRIMTAB_SOURCE_DIR "/hardware/cells.lib"; }
  GateLibrary library_ = parse_liberty(read_text(path()), path());

  /// A module with ports clock (bit 2), a, b, e (3, 4, 5) and y (`y`).
  [[nodiscard]] Netlist netlist(const std::string& cells, int y) const {
    const std::string text = fmt::format(R"({{"modules": {{"m": {{"ports": {{
      "clock": {{"direction": "input", "bits": [2]}}, "a": {{"direction": "input", "bits": [3]}},
      "b": {{"direction": "input", "bits": [4]}}, "e": {{"direction": "input", "bits": [5]}},
      "y": {{"direction": "output", "bits": [{}]}}}}, "cells": {{{}}}}}}}}})",
                                         y, cells);
    return parse_netlist(text, "m", "clock", library_);
  }
  static std::string inverter(const std::string& name, int from, int to) {
    return fmt::format(R"("{}": {{"type": "INV", "connections": {{"A": [{}], "Y": [{}]}}}})", name, from, to);
  }
  static std::string gate(const std::string& type, int a, int b, int y) {
    return fmt::format(R"("{0}": {{"type": "{0}", "connections": {{"A": [{1}], "B": [{2}], "Y": [{3}]}}}})", type, a, b,
                       y);
  }
};

TEST_F(GateSimulationTest, PricesAChainOfInverters) {
  const Netlist chain = netlist(inverter("i", 3, 6) + "," + inverter("j", 6, 7), 7);
  GateSimulation simulation(chain, library_);
  simulation.set_input("a", 0, 1);
  simulation.clock();
  const SpentEnergy spent = simulation.take_energy();
  // a and the net between charge one input each (0.5), the inverters' own nodes 0.5 each.
  EXPECT_DOUBLE_EQ(spent.gates_fj, 0.5 + (0.5 + 0.5) + 0.5);
  EXPECT_EQ(spent.glitches_fj, 0);
  EXPECT_EQ(spent.toggles, 3);
  EXPECT_EQ(simulation.output("y", 0), 1U);
  EXPECT_EQ(simulation.output("y", 1), 0U);  // another stream
  simulation.clock();
  EXPECT_EQ(simulation.take_energy().total_fj(), 0);  // nothing moves, nothing is clocked
}

TEST_F(GateSimulationTest, CountsAGlitch) {
  // a AND NOT a, the inverse five inverters late: a pulse that a circuit without delays would not make.
  std::string cells = inverter("i0", 3, 10);
  for (int i = 1; i < 5; ++i) cells += fmt::format(",{}", inverter(fmt::format("i{}", i), 9 + i, 10 + i));
  const Netlist pulse = netlist(cells + "," + gate("AND2", 3, 14, 20), 20);
  GateSimulation simulation(pulse, library_);
  simulation.set_input("a", 0, 1);
  simulation.clock();
  const SpentEnergy spent = simulation.take_energy();
  EXPECT_DOUBLE_EQ(spent.glitches_fj, 2 * 2.0);  // the AND2 goes up and down again, 2 inside each time, no load
  EXPECT_EQ(simulation.output("y", 0), 0U);
}

TEST_F(GateSimulationTest, SwallowsAPulseShorterThanTheGate) {
  // One inverter (delay 1 + 4/3) late: too short for the AND2 (delay 4).
  const Netlist pulse = netlist(inverter("i", 3, 10) + "," + gate("AND2", 3, 10, 20), 20);
  GateSimulation simulation(pulse, library_);
  simulation.set_input("a", 0, 1);
  simulation.clock();
  EXPECT_EQ(simulation.take_energy().glitches_fj, 0);
}

TEST_F(GateSimulationTest, ClocksFlipFlopsOnlyWhereEnabled) {
  const Netlist gated =
      netlist(R"("f": {"type": "$_DFFE_PP_", "connections": {"C": [2], "D": [3], "E": [5], "Q": [6]}})", 6);
  GateSimulation simulation(gated, library_);
  simulation.set_input("a", 0, 1);
  simulation.clock();
  simulation.clock();
  EXPECT_EQ(simulation.output("y", 0), 0U);  // not enabled
  SpentEnergy spent = simulation.take_energy();
  // The clock gate's clock pin: two edges of 2.333 / 2 + 2.25, in 64 streams and two clocks.
  const double waiting = 64 * 2 * (2.333 / 2 + 2.25);
  EXPECT_NEAR(spent.clock_fj, 2 * waiting, 1e-9);
  simulation.set_input_everywhere("e", 1);
  simulation.clock();  // the enable is there after this edge
  (void)simulation.take_energy();
  simulation.clock();
  EXPECT_EQ(simulation.output("y", 0), 1U);
  spent = simulation.take_energy();
  // Besides: the gate's output (2) and the flip-flop's clock pin (1 / 2 + 3), two edges; Q's own nodes, 3, in one
  // stream.
  EXPECT_NEAR(spent.clock_fj, waiting + 64 * 2 * (2 + 0.5 + 3), 1e-9);
  EXPECT_NEAR(spent.registers_fj, 3, 1e-9);
}

TEST_F(GateSimulationTest, ReadsDataBeforeAnyOutputChanges) {
  const Netlist shift = netlist(R"("f": {"type": "$_DFF_P_", "connections": {"C": [2], "D": [3], "Q": [6]}},
                                   "g": {"type": "$_DFF_P_", "connections": {"C": [2], "D": [6], "Q": [7]}})",
                                7);
  GateSimulation simulation(shift, library_);
  simulation.set_input("a", 5, 1);
  simulation.clock();  // the input is there after this edge
  simulation.set_input("a", 5, 0U);
  simulation.clock();
  EXPECT_EQ(simulation.output("y", 5), 0U);
  simulation.clock();
  EXPECT_EQ(simulation.output("y", 5), 1U);
  simulation.clock();
  EXPECT_EQ(simulation.output("y", 5), 0U);
}

TEST_F(GateSimulationTest, RefusesWhatIsNoNetlistOfTheLibrary) {
  const auto refusal = [](const auto& act) {
    try {
      act();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::failure);
      return std::string(error.what());
    }
    ADD_FAILURE() << "nothing was refused";
    return std::string();
  };
  EXPECT_NE(refusal([&] { (void)parse_netlist("{", "m", "clock", library_); }).find("not as yosys writes"),
            std::string::npos);
  EXPECT_NE(refusal([&] { (void)netlist(R"("c": {"type": "$mul", "connections": {}})", 3); }).find("c is a $mul"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              (void)netlist(R"("f": {"type": "$_DFF_P_", "connections": {"C": [3], "D": [3], "Q": [6]}})", 6);
            }).find("another clock"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              const Netlist loop = netlist(inverter("i", 7, 7), 7);
              const GateSimulation simulation(loop, library_);
            }).find("form a loop"),
            std::string::npos);
  const Netlist chain = netlist(inverter("i", 3, 6), 6);
  GateSimulation simulation(chain, library_);
  EXPECT_NE(refusal([&] { simulation.set_input("z", 0, 1); }).find("no input z"), std::string::npos);
}

}  // namespace
}  // namespace trimtab
