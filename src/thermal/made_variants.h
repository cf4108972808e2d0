#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "thermal/soc.h"

namespace trimtab::thermal {

/// What no result of fit or scale tells, since no board was measured.
struct VariantAssumptions {
  double instructions_per_cycle = 1;
  double fixed_ms = 0;                ///< memory time of an inference that does not scale with the clock
  double joule_per_ginstruction = 0;  ///< J/V^2 that 1e9 instructions switch beyond the cost of their cycles
};

/// A variant of a network that fit or scale has made for a core of the cluster.
struct MadeVariant {
  std::string name;
  std::string folder;
  int operating_point = 0;  ///< of the folder's program; points of one folder need no reload
  double instructions = 0;  ///< of an inference on one thread, counted in the emulator
  double accuracy = 0;      ///< top-1 of the integers, percent
};

struct MadeVariants {
  std::string cluster;
  std::string core;  ///< that all were emitted for
  std::string data;
  std::int64_t samples = 0;
  std::vector<MadeVariant> variants;
};

/// Reads the finished folders of fit and scale: a variant of each fit, and one of every operating point of a scale. A
/// folder's variant has the folder's name, a point that of its folder, a colon and its number; the points of a single
/// folder have their numbers alone, which its program reads (classify --point-file). `cluster`: empty for the one whose
/// core the folders are made for. Throws Error (bad input) where the folders have no common data, core or measure, were
/// made for no application processor, or where the cluster has no voltages.
[[nodiscard]] MadeVariants read_made_variants(const std::vector<std::filesystem::path>& folders, const Soc& soc,
                                              const std::string& cluster);

/// The table that read_variants() reads, with comments that say of every column whether it was measured, emulated or
/// assumed.
[[nodiscard]] std::string format_variants(const MadeVariants& made, const Soc& soc,
                                          const VariantAssumptions& assumptions);

}  // namespace trimtab::thermal
