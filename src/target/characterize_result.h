#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "target/characterize.h"

namespace trimtab {

/// The inputs of a characterization that its result.json names, and how long it took.
struct CharacterizeRun {
  std::string library;               ///< of gates
  std::string operands;              ///< where they come from, in words
  std::vector<std::string> layers;   ///< that they come from
  std::vector<std::string> skipped;  ///< layers whose operands the MACs cannot take
  double fj_at_8x8 = 0;              ///< energy at 8 x 8 bits in the tables; 0: of the nearest published array
  std::uint64_t seed = 1;
  double wall_s = 0;
};

/// result.json as docs/characterize.md documents it, and a summary for people.
[[nodiscard]] Result describe(const CharacterizeRun& run, const std::vector<Characterization>& macs);

/// Writes trimtab-MAC.toml, the energy table of each MAC, to the folder.
void write_energy_tables(const CharacterizeRun& run, const std::vector<Characterization>& macs,
                         const std::filesystem::path& folder);

}  // namespace trimtab
