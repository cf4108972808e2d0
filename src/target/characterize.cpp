#include "target/characterize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "base/index.h"
#include "base/random.h"

namespace trimtab {
namespace {

constexpr std::array<int, 6> all_weight_bits{8, 6, 5, 4, 3, 2};
constexpr std::array<int, 4> all_activation_bits{8, 6, 4, 2};

/// Sums are as long as this, up to whole groups: about the mean of small ConvNets.
constexpr int macs_per_sum = 288;

/// Groups before energy is counted, so that the pipeline is full and has forgotten the last precision.
constexpr int warm_up_groups = 4;

/// An 8-bit activation at fewer bits.
std::int16_t narrow(std::int16_t activation, int bits, int dropped) {
  if (dropped == 0) return std::min<std::int16_t>(activation, static_cast<std::int16_t>((1 << bits) - 1));
  const int rounded = (activation + (1 << (dropped - 1))) >> dropped;
  return static_cast<std::int16_t>(std::min(rounded, (1 << bits) - 1));
}

/// By layer: bits to drop so that `bits` of them keep the activations best. Never more than reach the largest of 8
/// bits.
std::vector<int> choose_ranges(std::span<const OperandTrace> traces, int bits) {
  int layers = 1;
  for (const OperandTrace& trace : traces) layers = std::max(layers, trace.layer + 1);
  std::vector<int> best(static_cast<std::size_t>(layers), 8 - bits);
  std::vector<double> least(static_cast<std::size_t>(layers), std::numeric_limits<double>::infinity());
  for (int dropped = 8 - bits; dropped >= 0; --dropped) {
    std::vector<double> errors(static_cast<std::size_t>(layers), 0);
    for (const OperandTrace& trace : traces) {
      for (const MacOperand& operand : trace.operands) {
        const int error = (narrow(operand.activation, bits, dropped) << dropped) - operand.activation;
        nth(errors, trace.layer) += error * error;
      }
    }
    for (std::size_t layer = 0; layer < errors.size(); ++layer) {
      if (errors[layer] >= least[layer]) continue;
      least[layer] = errors[layer];
      best[layer] = dropped;
    }
  }
  return best;
}

/// An endless sequence of operands at one precision.
class OperandStream {
 public:
  /// `dropped` is by layer.
  OperandStream(std::span<const OperandTrace> traces, int activation_bits, std::span<const int> dropped,
                std::uint64_t seed)
      : traces_(traces), activation_bits_(activation_bits), dropped_(dropped), random_(seed) {}

  MacOperand next() {
    if (traces_.empty()) {
      const auto activation = static_cast<std::int16_t>(random_.integer(0, (1 << activation_bits_) - 1));
      return {static_cast<std::int8_t>(random_.integer(-128, 127)), activation};
    }
    while (trace_ == nullptr || position_ == trace_->operands.size()) {
      trace_ = &nth(traces_, random_.integer(0, static_cast<std::int64_t>(traces_.size()) - 1));
      position_ = 0;
    }
    MacOperand operand = trace_->operands[position_++];
    operand.activation = narrow(operand.activation, activation_bits_, nth(dropped_, trace_->layer));
    return operand;
  }

 private:
  std::span<const OperandTrace> traces_;
  int activation_bits_;
  std::span<const int> dropped_;
  Random random_;
  const OperandTrace* trace_ = nullptr;
  std::size_t position_ = 0;
};

/// One stream's operands and the sum that its MAC should hold after the last group.
struct Stream {
  OperandStream operands;
  std::vector<MacOperand> group;
  std::int32_t sum = 0;
  std::int64_t drawn = 0;  ///< operands so far
  std::int64_t zeros = 0;  ///< of them with an activation of 0
};

class Bench {
 public:
  Bench(MacArchitecture architecture, const Netlist& netlist, const GateLibrary& library)
      : architecture_(architecture), simulation_(netlist, library) {}

  MacEnergy run(const MacPrecision& precision, std::span<const OperandTrace> traces,
                const CharacterizeOptions& options) {
    set(precision);
    const std::vector<int> dropped = choose_ranges(traces, precision.activation_bits);
    std::vector<Stream> streams;
    streams.reserve(GateSimulation::streams);
    for (int index = 0; index < GateSimulation::streams; ++index) {
      streams.push_back({OperandStream(traces, precision.activation_bits, dropped,
                                       options.seed * GateSimulation::streams + static_cast<std::uint64_t>(index)),
                         std::vector<MacOperand>(static_cast<std::size_t>(macs_per_group(architecture_, precision))),
                         0});
    }
    const std::int64_t per_group = macs_per_group(architecture_, precision);
    const std::int64_t groups = std::max<std::int64_t>((options.macs_per_stream + per_group - 1) / per_group, 16);
    const std::int64_t groups_per_sum = (macs_per_sum + per_group - 1) / per_group;
    for (std::int64_t group = 0; group < warm_up_groups; ++group)
      issue(precision, streams, group % groups_per_sum == 0);
    (void)simulation_.take_energy();
    for (std::int64_t group = 0; group < groups; ++group) issue(precision, streams, group % groups_per_sum == 0);
    const SpentEnergy spent = simulation_.take_energy();
    drain();
    compare(precision, streams);

    MacEnergy energy;
    energy.weight_bits = precision.weight_bits;
    energy.activation_bits = precision.activation_bits;
    energy.macs = groups * per_group * GateSimulation::streams;
    const auto macs = static_cast<double>(energy.macs);
    energy.fj = spent.total_fj() / macs;
    energy.gates_fj = spent.gates_fj / macs;
    energy.glitches_fj = spent.glitches_fj / macs;
    energy.registers_fj = spent.registers_fj / macs;
    energy.clock_fj = spent.clock_fj / macs;
    std::int64_t drawn = 0;
    std::int64_t zeros = 0;
    for (const Stream& stream : streams) {
      drawn += stream.drawn;
      zeros += stream.zeros;
    }
    energy.zeros = static_cast<double>(zeros) / static_cast<double>(drawn);
    energy.clocks = static_cast<double>(spent.clocks) * GateSimulation::streams / macs;
    return energy;
  }

  [[nodiscard]] const GateSimulation& simulation() const { return simulation_; }

 private:
  void everywhere(const std::string& port, bool bit) {
    simulation_.set_input_everywhere(port, static_cast<std::uint32_t>(bit));
  }

  /// The inputs that are constant for a precision.
  void set(const MacPrecision& precision) {
    everywhere("odd_bits", precision.weight_bits % 2 == 1);
    everywhere("signed_activation", precision.signed_activation);
    if (architecture_ == MacArchitecture::sum_together) {
      simulation_.set_input_everywhere("weight_digits", static_cast<std::uint32_t>(precision.weight_digits()));
      simulation_.set_input_everywhere("activation_digits", static_cast<std::uint32_t>(precision.activation_digits()));
    }
  }

  /// The next group of every stream.
  void issue(const MacPrecision& precision, std::vector<Stream>& streams, bool start) {
    for (Stream& stream : streams) {
      if (start) stream.sum = 0;
      for (MacOperand& operand : stream.group) {
        operand = stream.operands.next();
        ++stream.drawn;
        stream.zeros += static_cast<std::int64_t>(operand.activation == 0);
        stream.sum += nested_product(operand.weight, precision.weight_bits, operand.activation);
      }
    }
    if (architecture_ == MacArchitecture::serial) {
      issue_serial(precision, streams, start);
    } else {
      issue_sum_together(precision, streams, start);
    }
  }

  void issue_serial(const MacPrecision& precision, const std::vector<Stream>& streams, bool start) {
    std::vector<std::vector<SerialInputs>> clocks;
    clocks.reserve(streams.size());
    for (const Stream& stream : streams) clocks.push_back(serial_group(precision, stream.group, start));
    everywhere("step", true);
    for (std::size_t clock = 0; clock < clocks.front().size(); ++clock) {
      const SerialInputs& control = clocks.front()[clock];
      everywhere("start", control.start);
      everywhere("first_activation", control.first_activation);
      everywhere("last_activation", control.last_activation);
      everywhere("first_weight", control.first_weight);
      everywhere("last_weight", control.last_weight);
      for (std::size_t stream = 0; stream < clocks.size(); ++stream) {
        simulation_.set_input("weight", static_cast<int>(stream), clocks[stream][clock].weight);
        simulation_.set_input("activation", static_cast<int>(stream), clocks[stream][clock].activation);
      }
      simulation_.clock();
    }
  }

  void issue_sum_together(const MacPrecision& precision, const std::vector<Stream>& streams, bool start) {
    everywhere("load", true);
    everywhere("start", start);
    for (std::size_t stream = 0; stream < streams.size(); ++stream) {
      const SumTogetherInputs inputs = sum_together_group(precision, streams[stream].group, start);
      simulation_.set_input("weight", static_cast<int>(stream), inputs.weight);
      simulation_.set_input("activation", static_cast<int>(stream), inputs.activation);
    }
    simulation_.clock();
  }

  void drain() {
    everywhere(architecture_ == MacArchitecture::serial ? "step" : "load", false);
    // One more: inputs are there only after an edge.
    for (int clock = 0; clock <= latency_clocks(architecture_); ++clock) simulation_.clock();
  }

  void compare(const MacPrecision& precision, const std::vector<Stream>& streams) const {
    for (std::size_t stream = 0; stream < streams.size(); ++stream) {
      const auto sum = static_cast<std::int32_t>(simulation_.output("accumulator", static_cast<int>(stream)));
      if (sum != streams[stream].sum) {
        throw failure("the gates of {} give {} at {} x {} bits where {} is right", module_of(architecture_), sum,
                      precision.weight_bits, precision.activation_bits, streams[stream].sum);
      }
    }
  }

  MacArchitecture architecture_;
  GateSimulation simulation_;
};

}  // namespace

Characterization characterize(MacArchitecture architecture, const Netlist& netlist, const GateLibrary& library,
                              std::span<const OperandTrace> traces, const CharacterizeOptions& options) {
  if (std::any_of(traces.begin(), traces.end(),
                  [](const OperandTrace& trace) { return trace.operands.empty() || trace.layer < 0; })) {
    throw failure("there is a trace without operands");
  }
  Bench bench(architecture, netlist, library);
  Characterization result;
  result.architecture = architecture;
  result.gates = static_cast<std::int64_t>(netlist.gates.size());
  result.flip_flops = static_cast<std::int64_t>(netlist.flip_flops.size());
  result.area = bench.simulation().area();
  constexpr std::int64_t total = all_weight_bits.size() * all_activation_bits.size();
  for (const int weight_bits : all_weight_bits) {
    for (const int activation_bits : all_activation_bits) {
      result.pairs.push_back(bench.run({weight_bits, activation_bits, false}, traces, options));
      result.sums += GateSimulation::streams;
      if (options.progress) options.progress(static_cast<std::int64_t>(result.pairs.size()), total);
    }
  }
  result.longest_path = bench.simulation().longest_path();
  return result;
}

std::string to_energy_table(const Characterization& characterization, double fj_at_8x8, const std::string& method) {
  const bool is_serial = characterization.architecture == MacArchitecture::serial;
  std::string text = "kind = \"accelerator\"\n";
  text += fmt::format("description = \"Trimtab's own MAC, {} (hardware/rtl/{}.sv); relative, not calibrated\"\n",
                      is_serial ? "MSB-first digit-serial" : "sum-together array of 2-bit multipliers",
                      module_of(characterization.architecture));
  text +=
      "technology_nm = 45   # of the memories below; the MAC's gate library stands for no process\n"
      "relative = true      # only ratios of the energies per multiply-accumulate mean something\n"
      "symmetric = false    # weight and activation may not change places\n"
      "interpolate = false  # every pair that the MAC can do is here\n\n[mac]\n";
  text += fmt::format("source = \"{}\"\n", method);
  text += "uncertainty_percent = 30  # of the ratios, our estimate: no wires, no clock tree, no layout\npairs = [\n";
  const double factor = fj_at_8x8 / characterization.pairs.front().fj;
  for (const MacEnergy& pair : characterization.pairs) {
    text += fmt::format("  {{ weight_bits = {}, activation_bits = {}, fj = {:.1f} }},\n", pair.weight_bits,
                        pair.activation_bits, pair.fj * factor);
  }
  text += R"(]

# Memories: 64-bit accesses of Horowitz (below), divided by 64 bits.
[[memory]]
name = "sram-8kb"
fj_per_bit = 156.25
uncertainty_percent = 30
source = "M. Horowitz, ISSCC 2014, 1.1 'Computing's energy problem': 10 pJ per 64-bit access of an 8 KB cache, 45 nm, 0.9 V; uncertainty: our estimate"

[[memory]]
name = "sram-32kb"
fj_per_bit = 312.5
uncertainty_percent = 30
source = "as above: 20 pJ per 64-bit access of 32 KB"

[[memory]]
name = "sram-1mb"
fj_per_bit = 1562.5
uncertainty_percent = 30
source = "as above: 100 pJ per 64-bit access of 1 MB"

[[memory]]
name = "dram"
fj_per_bit = 30468.75
uncertainty_percent = 33
source = "as above: 1300 to 2600 pJ per 64-bit access, of which this is the middle"

[traffic]
weights = "sram-1mb"
activations = "sram-32kb"
)";
  return text;
}

}  // namespace trimtab
