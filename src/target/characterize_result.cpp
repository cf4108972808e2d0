#include "target/characterize_result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/units.h"

namespace trimtab {
namespace {

/// Energy of 8 x 8 bits that the published array nearest to ours has (targets/accelerators/bitblade.toml, loom.toml),
/// so that memory traffic weighs beside it as it does there.
double published_fj(MacArchitecture architecture) { return architecture == MacArchitecture::serial ? 992 : 873; }

nlohmann::ordered_json to_json(const Characterization& mac) {
  auto pairs = nlohmann::ordered_json::array();
  for (const MacEnergy& pair : mac.pairs) {
    pairs.push_back({{"weight_bits", pair.weight_bits},
                     {"activation_bits", pair.activation_bits},
                     {"relative", pair.fj / mac.pairs.front().fj},
                     {"library_fj", pair.fj},
                     {"gates_fj", pair.gates_fj},
                     {"glitches_fj", pair.glitches_fj},
                     {"registers_fj", pair.registers_fj},
                     {"clock_fj", pair.clock_fj},
                     {"clocks_per_mac", pair.clocks},
                     {"macs", pair.macs},
                     {"zero_activations", pair.zeros}});
  }
  return {{"mac", name_of(mac.architecture)},
          {"gates", mac.gates},
          {"flip_flops", mac.flip_flops},
          {"area", mac.area},
          {"longest_path_inverters", mac.longest_path},
          {"sums_compared", mac.sums},
          {"sums_differing", 0},  // the first that differed would have ended the command
          {"pairs", pairs}};
}

std::string summarize(const Characterization& mac) {
  std::string text = fmt::format(
      "{}: {} gates, {} flip-flops, area {:.0f}; energy per multiply-accumulate, 8 x 8 bits = 1 (relative, not "
      "calibrated)\n                 activation bits\n  weight bits ",
      name_of(mac.architecture), format_count(mac.gates), format_count(mac.flip_flops), mac.area);
  for (std::size_t i = 0; i < 4; ++i) text += fmt::format("{:8}", mac.pairs[i].activation_bits);
  for (std::size_t i = 0; i < mac.pairs.size(); ++i) {
    if (i % 4 == 0) text += fmt::format("\n  {:11} ", mac.pairs[i].weight_bits);
    text += fmt::format("{:8.3f}", mac.pairs[i].fj / mac.pairs.front().fj);
  }
  return text + "\n";
}

/// In one line, how the table of a MAC was made.
std::string method_of(const CharacterizeRun& run, const Characterization& mac) {
  const std::string method = fmt::format(
      "trimtab characterize: toggles of the netlist (yosys, library {}) times the energies of its cells, {}, {} "
      "multiply-accumulates per pair",
      run.library, run.operands, mac.pairs.front().macs);
  if (run.fj_at_8x8 > 0) return method + "; scaled to --fj-at-8x8";
  return fmt::format("{}; scaled so that 8 x 8 bits take what the published {} array takes", method,
                     mac.architecture == MacArchitecture::serial ? "Loom-like" : "BitBlade");
}

}  // namespace

Result describe(const CharacterizeRun& run, const std::vector<Characterization>& macs) {
  Result result;
  auto list = nlohmann::ordered_json::array();
  for (const Characterization& mac : macs) {
    list.push_back(to_json(mac));
    result.text += summarize(mac) + "\n";
  }
  result.text += run.operands + "\n";
  if (!run.skipped.empty())
    result.text += fmt::format("without {}: their inputs are not unsigned 8 bits\n", fmt::join(run.skipped, ", "));
  result.json = {{"command", "characterize"},
                 {"relative", true},
                 {"library", run.library},
                 {"operands", run.operands},
                 {"layers", run.layers},
                 {"layers_skipped", run.skipped},
                 {"macs", list},
                 {"seed", run.seed},
                 {"wall_s", run.wall_s},
                 {"version", TRIMTAB_VERSION}};
  return result;
}

void write_energy_tables(const CharacterizeRun& run, const std::vector<Characterization>& macs,
                         const std::filesystem::path& folder) {
  for (const Characterization& mac : macs) {
    const double anchor = run.fj_at_8x8 > 0 ? run.fj_at_8x8 : published_fj(mac.architecture);
    write_file(folder / ("trimtab-" + name_of(mac.architecture) + ".toml"),
               to_energy_table(mac, anchor, method_of(run, mac)));
  }
}

}  // namespace trimtab
