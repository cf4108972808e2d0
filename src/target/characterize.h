#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "target/gate_simulation.h"
#include "target/mac_stimulus.h"

namespace trimtab {

/// Operands of one dot product of a layer, in the order in which they are accumulated; activations of 8 bits, unsigned.
struct OperandTrace {
  int layer = 0;  ///< 0, 1, ...: all traces of a layer share one range of activations
  std::vector<MacOperand> operands;
};

struct CharacterizeOptions {
  std::int64_t macs_per_stream = 2048;  ///< of each of the 64 streams, at every precision
  std::uint64_t seed = 1;
  std::function<void(std::int64_t done, std::int64_t total)> progress;  ///< may be empty
};

/// The energy of a multiply-accumulate of one precision, in femtojoules of the library.
struct MacEnergy {
  int weight_bits = 8;
  int activation_bits = 8;
  double fj = 0;            ///< all of it
  double gates_fj = 0;      ///< of it: toggles of gates
  double glitches_fj = 0;   ///< of gates_fj: toggles that cancel within a clock
  double registers_fj = 0;  ///< of it: flip-flops' outputs
  double clock_fj = 0;      ///< of it: clock pins and clock gates
  double clocks = 0;        ///< clocks per multiply-accumulate
  std::int64_t macs = 0;    ///< that were simulated and priced
  double zeros = 0;         ///< share of the activations that were 0
};

struct Characterization {
  MacArchitecture architecture = MacArchitecture::serial;
  double area = 0;  ///< in the library's unit
  std::int64_t gates = 0;
  std::int64_t flip_flops = 0;
  double longest_path = 0;       ///< in inverter delays; gates of very large load capped (gate_simulation.cpp)
  std::int64_t sums = 0;         ///< results of the gate-level simulation that were compared with the definition
  std::vector<MacEnergy> pairs;  ///< weight bits 8, 6, 5, 4, 3, 2 by activation bits 8, 6, 4, 2
};

/// Prices every precision of a mapped MAC by simulating its gates at work on operands: dot products drawn at random
/// from `traces`, one after the other without gaps (the array is full); without traces, uniformly random ones. An
/// activation of fewer bits is the 8-bit one, rounded. All weights are the stored 8 bits, of which the MAC reads the
/// upper ones. At the end of every precision the 64 accumulators are compared with the definition. Throws Error
/// (failure) where one differs.
[[nodiscard]] Characterization characterize(MacArchitecture architecture, const Netlist& netlist,
                                            const GateLibrary& library, std::span<const OperandTrace> traces,
                                            const CharacterizeOptions& options);

/// The energy table (target/energy.h) of a characterization, as TOML: all energies times one factor that makes 8 x 8
/// bits `fj_at_8x8`. `method` says, in one line, what was simulated.
[[nodiscard]] std::string to_energy_table(const Characterization& characterization, double fj_at_8x8,
                                          const std::string& method);

}  // namespace trimtab
