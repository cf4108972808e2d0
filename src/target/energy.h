#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trimtab {

/// The energy of a bit that is read from or written to a memory.
struct MemoryEnergy {
  std::string name;
  double fj_per_bit = 0;
  double uncertainty_percent = 0;
  std::string source;
};

/// The energy that a scalable-precision accelerator spends: per multiply-accumulate, by the bits of weight and
/// activation, and per bit that is moved. Read from targets/accelerators/NAME.toml; the format is described in
/// docs/scale.md.
class EnergyTable {
 public:
  std::string name;
  std::string description;
  std::string source;
  double technology_nm = 0;
  double uncertainty_percent = 0;  ///< of the energies per multiply-accumulate
  bool relative = false;           ///< not calibrated: only the ratios of the energies mean something
  bool symmetric = false;          ///< weight and activation may change places
  bool interpolate = false;        ///< pairs between those of the table may be computed
  MemoryEnergy weights;            ///< the memory that weights come from, once in an inference
  MemoryEnergy activations;        ///< the memory that activations are written to and read from

  /// Femtojoules of one multiply-accumulate. A pair that the table lacks is interpolated, if the file allows it:
  /// linearly between the logarithms of bits and energies, first along equal widths and along the largest width, then
  /// between the two. (The published arrays spend what is nearly proportional to the product of the widths: a power of
  /// each.) Throws Error (bad input), naming file and pair, where the table cannot tell.
  [[nodiscard]] double mac_fj(int weight_bits, int activation_bits) const;

  /// Whether mac_fj of the pair is computed from others.
  [[nodiscard]] bool is_interpolated(int weight_bits, int activation_bits) const;

  /// Pairs as in the file, by (weight bits, activation bits).
  std::map<std::pair<int, int>, double> pairs;

 private:
  [[nodiscard]] std::optional<double> find(int weight_bits, int activation_bits) const;
  [[nodiscard]] std::optional<double> on_line(int bits, const std::map<int, double>& known) const;
  [[nodiscard]] std::optional<double> interpolated(int weight_bits, int activation_bits) const;
};

/// Names of the tables that come with trimtab, sorted.
[[nodiscard]] std::vector<std::string> energy_table_names();

/// By name, or from any .toml file. `weight_memory` and `activation_memory` override the memories of the file's
/// [traffic] where they are not empty. Throws Error (bad input), naming the file, for unknown tables, memories or keys,
/// repeated pairs, bits beyond 1..32, and energies that are not positive numbers.
[[nodiscard]] EnergyTable load_energy_table(const std::string& name, const std::string& weight_memory = {},
                                            const std::string& activation_memory = {});

/// `text` is the content of the file `path`, which is named in errors.
[[nodiscard]] EnergyTable parse_energy_table(const std::string& text, const std::string& path,
                                             const std::string& weight_memory = {},
                                             const std::string& activation_memory = {});

}  // namespace trimtab
