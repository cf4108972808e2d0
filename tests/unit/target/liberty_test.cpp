#include "target/liberty.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace trimtab {
namespace {

/// The smallest library that is accepted, with something more in it.
std::string library(const std::string& more = {}) {
  return R"lib(library (small) {
  capacitive_load_unit (1, pf); nom_voltage : 2.0;
  lu_table_template (plane) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
                              index_1 ("0, 1, 2"); index_2 ("0, 10"); }
  cell (INV) { area : 1; pin (A) { direction : input; capacitance : 0.5; }
    pin (Y) { direction : output; function : "!A"; } }
  cell (BUF) { area : 2; pin (A) { direction : input; } pin (Y) { direction : output; function : "A"; } }
  cell (NAND2) { area : 3; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "(A B)'";
      internal_power () { rise_power (plane) { values ("1, 2", "3, 4", "5, 6"); } fall_power (scalar) { values ("7"); } }
      timing () { related_pin : "A"; cell_rise (plane) { values ("1, 11", "2, 22", "3, 33"); } } } }
  cell (DFF) { area : 9; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (D) { direction : input; } pin (CK) { direction : input; } pin (Q) { direction : output; function : "IQ"; } }
)lib" + more +
         "}\n";
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

void expect_refused(const std::string& text, const std::string& words) {
  const std::string sentence = refusal([&] { (void)parse_liberty(text, "x.lib"); });
  EXPECT_NE(sentence.find(words), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("x.lib"), std::string::npos) << sentence;
}

TEST(Liberty, ReadsUnitsPinsEnergiesAndDelays) {
  const GateLibrary small = parse_liberty(library(), "x.lib");
  EXPECT_EQ(small.name, "small");
  EXPECT_DOUBLE_EQ(small.switching_fj(0.5), 0.5 * 0.5 * 1000 * 4);  // half of C V^2, picofarads
  EXPECT_DOUBLE_EQ(small.internal_fj(3), 3000);
  const LibertyPin& output = *small.cells.at("NAND2").output();
  EXPECT_DOUBLE_EQ(output.internal_energy, (3.0 + 7.0) / 2);  // the middle row's first column, and the scalar
  EXPECT_DOUBLE_EQ(output.delay.at(0), 2);                    // the middle slew
  EXPECT_DOUBLE_EQ(output.delay.at(5), 12);
  EXPECT_EQ(small.flip_flop().name, "DFF");
  EXPECT_EQ(small.clock_gate(), nullptr);
}

TEST(Liberty, TakesTheSmallestPlainFlipFlop) {
  const std::string smaller_ones = R"lib(
      cell (DFFR) { area : 2; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; clear : "!R"; }
        pin (D) { direction : input; } pin (CK) { direction : input; } pin (Q) { direction : output; function : "IQ"; } }
      cell (SDFF) { area : 3; ff (IQ, IQN) { clocked_on : "CK"; next_state : "(D*!SE)+(SI*SE)"; }
        pin (D) { direction : input; } pin (CK) { direction : input; } pin (Q) { direction : output; function : "IQ"; } }
)lib";
  EXPECT_EQ(parse_liberty(library(smaller_ones), "x.lib").flip_flop().name, "DFF");
}

TEST(Liberty, ReadsItsOwnLibrary) {
  const std::string path = TRIMTAB_SOURCE_DIR "/hardware/cells.lib";
  const GateLibrary cells = parse_liberty(read_text(path), path);
  // Logical effort: a NAND of two inputs loads as 4/3 inverters.
  EXPECT_NEAR(cells.cells.at("NAND2").find("A")->capacitance, 4.0 / 3, 1e-3);
  EXPECT_DOUBLE_EQ(cells.switching_fj(1), 0.5);
  ASSERT_NE(cells.clock_gate(), nullptr);
  EXPECT_EQ(cells.clock_gate()->name, "CLKGATE");
}

TEST(Liberty, RefusesWhatIsBroken) {
  expect_refused("", "line 1");
  expect_refused("cell (A) { }", "not with a library");
  expect_refused("library (a) {\n cell (b) {\n", "line 3 should have '}' of cell");
  expect_refused("library (a) { /* }", "an end of its comment");
  expect_refused("library (a) { x : \"y; }", "an end of its quoted text");
  expect_refused("library (a) { nom_voltage : 1; }", "no capacitive_load_unit");
  expect_refused("library (a) { capacitive_load_unit (1, ff); }", "no nom_voltage");
  expect_refused("library (a) { capacitive_load_unit (1, mF); nom_voltage : 1; }", "must be in ff or pf");
  expect_refused(library("cell (X) { area : big; }"), "'big' is no number");
  expect_refused(library("cell (INV) { }"), "the cell INV is there twice");
  expect_refused(library("cell (X) { pin (Y) { internal_power () { power (plane) { values (\"1, 2\"); } } } }"),
                 "do not fit its axes");
  const auto without = [](const std::string& cell) {
    std::string text = library();
    const std::size_t begin = text.find("cell (" + cell + ")");
    text.replace(begin, 4, "call");
    return text;
  };
  expect_refused(without("INV"), "no inverter");
  expect_refused(without("BUF"), "no buffer");
  expect_refused(without("NAND2"), "no gate of two inputs");
  expect_refused(without("DFF"), "no flip-flop");
  expect_refused("library " + std::string(100, '(') + "{", "should have");
  std::string deep = "library (a) ";
  for (int i = 0; i < 100; ++i) deep += "{ g () ";
  expect_refused(deep, "fewer nested groups");
}

/// A function's value for given inputs.
bool evaluate(const std::string& function, bool a, bool b, bool c) {
  std::vector<bool> stack;
  for (const LogicStep& step : compile_function(function, {"A", "B", "C"}, "cell X")) {
    using Kind = LogicStep::Kind;
    if (step.kind == Kind::input) stack.push_back(step.input == 0 ? a : step.input == 1 ? b : c);
    if (step.kind == Kind::zero || step.kind == Kind::one) stack.push_back(step.kind == Kind::one);
    if (step.kind == Kind::invert) stack.back() = !stack.back();
    if (step.kind < Kind::conjunction) continue;
    const bool right = stack.back();
    stack.pop_back();
    const bool left = stack.back();
    stack.back() = step.kind == Kind::conjunction   ? left && right
                   : step.kind == Kind::disjunction ? left || right
                                                    : left != right;
  }
  EXPECT_EQ(stack.size(), 1U);
  return stack.back();
}

TEST(Liberty, CompilesFunctions) {
  for (int bits = 0; bits < 8; ++bits) {
    const bool a = (bits & 1) != 0;
    const bool b = (bits & 2) != 0;
    const bool c = (bits & 4) != 0;
    EXPECT_EQ(evaluate("!((A*B)+C)", a, b, c), !((a && b) || c));
    EXPECT_EQ(evaluate("A B | C'", a, b, c), (a && b) || !c);
    EXPECT_EQ(evaluate("A ^ B & C", a, b, c), a != (b && c));
    EXPECT_EQ(evaluate("(A+B)' ^ !C", a, b, c), !(a || b) != !c);
    EXPECT_EQ(evaluate("A & 1 | 0", a, b, c), a);
  }
  for (const char* broken : {"", "A +", "(A", "A)", "D", "A # B", "!"}) {
    const std::string sentence = refusal([&] { (void)compile_function(broken, {"A", "B"}, "cell X"); });
    EXPECT_NE(sentence.find("cell X"), std::string::npos) << broken;
  }
  std::string deep;
  for (int i = 0; i < 30; ++i) deep += "A*(B+(";
  (void)refusal([&] { (void)compile_function(deep, {"A", "B"}, "cell X"); });
}

}  // namespace
}  // namespace trimtab
