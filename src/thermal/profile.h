#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trimtab::thermal {

struct ProfileOptions {
  std::filesystem::path root = "/sys";
  std::string policy = "policy0";
  std::string prefix = "cpu";  ///< cluster's name in the columns
  std::vector<double> mhz;     ///< frequencies to visit; empty: the lowest and the highest
  double seconds = 60;         ///< at each frequency, the program started anew where it ends before
  double sample_s = 0.5;
  double ambient_c = -300;  ///< as the user measured it; below -273: unknown
};

struct Profile {
  std::int64_t inferences = 0;
  std::vector<std::filesystem::path> files;
};

/// Runs `command`, which prints one line per inference, at each frequency (by scaling_max_freq and scaling_min_freq,
/// which are restored), and writes to `output`: latency.csv (program,mhz,latency_s: median time between lines) and, per
/// frequency, PREFIX-MHZ.csv (time_s, PREFIX_MHz, all zones as NAME_C, power sensors as NAME_W, fans as NAME_rpm,
/// ambient_C), as identify reads them. Throws Error (bad input) where frequencies may not be set or the program prints
/// nothing.
[[nodiscard]] Profile profile(const std::vector<std::string>& command, const ProfileOptions& options,
                              const std::filesystem::path& output);

}  // namespace trimtab::thermal
