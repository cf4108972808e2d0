#include "target/characterize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "target/energy.h"
#include "target/share.h"
#include "target/synthesis.h"

namespace trimtab {
namespace {

const MacEnergy& pair(const Characterization& mac, int weight_bits, int activation_bits) {
  for (const MacEnergy& each : mac.pairs) {
    if (each.weight_bits == weight_bits && each.activation_bits == activation_bits) return each;
  }
  throw failure("no pair of {} x {} bits", weight_bits, activation_bits);
}

/// The digit-serial MAC, mapped (seconds, once for all tests).
class CharacterizeTest : public testing::Test {
 protected:
  static std::string path() { return (hardware_directory() / "cells.lib").string(); }
  void SetUp() override {
    if (!has_program("yosys") || !has_program("yosys-abc")) GTEST_SKIP() << "yosys is not installed";
  }
  static const GateLibrary& library() {
    static const GateLibrary library = parse_liberty(read_text(path()), path());
    return library;
  }
  static const Netlist& netlist() {
    static const Netlist netlist = parse_netlist(synthesize("serial_mac", {hardware_directory() / "rtl", path()}),
                                                 "serial_mac", "clock", library());
    return netlist;
  }
  static CharacterizeOptions brief() {
    CharacterizeOptions options;
    options.macs_per_stream = 64;
    return options;
  }
};

TEST_F(CharacterizeTest, GatesComputeTheDefinitionAndNarrowerIsCheaper) {
  // characterize itself compares every stream's sum at every precision and throws where one differs.
  const Characterization mac = characterize(MacArchitecture::serial, netlist(), library(), {}, brief());
  EXPECT_EQ(mac.sums, 24 * 64);
  EXPECT_EQ(mac.pairs.size(), 24U);
  for (const MacEnergy& each : mac.pairs) {
    EXPECT_NEAR(each.fj, each.gates_fj + each.registers_fj + each.clock_fj, 1e-9 * each.fj);
    EXPECT_LE(each.glitches_fj, each.gates_fj);
    EXPECT_GT(each.clock_fj, 0);
    // Steps that sixteen lanes share.
    EXPECT_DOUBLE_EQ(each.clocks, std::ceil(each.weight_bits / 2.0) * each.activation_bits / 2 / 16);
  }
  for (const auto& [wide, narrow] : {std::pair{8, 6}, {6, 4}, {4, 2}}) {
    EXPECT_GT(pair(mac, wide, 8).fj, pair(mac, narrow, 8).fj);
    EXPECT_GT(pair(mac, 8, wide).fj, pair(mac, 8, narrow).fj);
  }

  // The table is what the reader of energy tables takes.
  const EnergyTable table = parse_energy_table(to_energy_table(mac, 500, "a test"), "x.toml");
  EXPECT_TRUE(table.relative);
  EXPECT_EQ(table.source, "a test");
  EXPECT_EQ(table.pairs.size(), 24U);
  EXPECT_DOUBLE_EQ(table.mac_fj(8, 8), 500);
  EXPECT_NEAR(table.mac_fj(5, 4), 500 * pair(mac, 5, 4).fj / pair(mac, 8, 8).fj, 0.06);

  // Activations of zero cost little but the clock.
  const std::vector<OperandTrace> zeros{{0, std::vector<MacOperand>(100, {77, 0})}};
  const Characterization idle = characterize(MacArchitecture::serial, netlist(), library(), zeros, brief());
  EXPECT_LT(pair(idle, 8, 8).gates_fj, 0.1 * pair(mac, 8, 8).gates_fj);
  EXPECT_NEAR(pair(idle, 8, 8).clock_fj, pair(mac, 8, 8).clock_fj, 1e-6);
}

TEST(CommittedTables, HaveEveryPairOfTheMacs) {
  for (const char* name : {"trimtab-serial", "trimtab-sum-together"}) {
    const EnergyTable table = load_energy_table(name);
    EXPECT_TRUE(table.relative);
    EXPECT_EQ(table.pairs.size(), 24U);
    for (const int weight_bits : {8, 6, 5, 4, 3, 2}) {
      for (const int activation_bits : {8, 6, 4, 2}) {
        EXPECT_FALSE(table.is_interpolated(weight_bits, activation_bits));
        EXPECT_LE(table.mac_fj(weight_bits, activation_bits), table.mac_fj(8, 8));
      }
    }
  }
}

TEST_F(CharacterizeTest, NoticesAWrongCircuit) {
  Netlist broken = netlist();
  std::swap(broken.outputs.at("accumulator")[3], broken.outputs.at("accumulator")[4]);
  EXPECT_THROW((void)characterize(MacArchitecture::serial, broken, library(), {}, brief()), Error);
}

TEST_F(CharacterizeTest, SaysWhatSynthesisLacks) {
  const auto refusal = [](const std::string& top, SynthesisOptions options) {
    try {
      (void)synthesize(top, options);
    } catch (const Error& error) {
      return std::pair{error.code(), std::string(error.what())};
    }
    ADD_FAILURE() << "nothing was refused";
    return std::pair{ExitCode::success, std::string()};
  };
  SynthesisOptions options{hardware_directory() / "rtl", path()};
  options.limit = std::chrono::milliseconds(1);
  auto [code, sentence] = refusal("serial_mac", options);
  EXPECT_EQ(code, ExitCode::failure);
  EXPECT_NE(sentence.find("--time-limit"), std::string::npos) << sentence;

  options.limit = std::chrono::minutes(5);
  std::tie(code, sentence) = refusal("no_such_mac", options);
  EXPECT_EQ(code, ExitCode::failure);
  EXPECT_NE(sentence.find("no_such_mac"), std::string::npos) << sentence;

  options.sources = "/nowhere";
  std::tie(code, sentence) = refusal("serial_mac", options);
  EXPECT_EQ(code, ExitCode::bad_input);
  EXPECT_NE(sentence.find("no .sv files in /nowhere"), std::string::npos) << sentence;
}

}  // namespace
}  // namespace trimtab
