#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "thermal/identify.h"

namespace trimtab::thermal {

/// The measurements that models are to be identified from.
struct IdentifyRequest {
  std::vector<std::string> latency;  ///< CSV tables; empty: none
  std::string power;                 ///< CSV table; empty: none
  std::vector<std::string> thermal;  ///< CSV series; empty: none
  std::vector<std::string> test;     ///< CSV series that the thermal network is tested on
  PowerColumns power_columns;
  ThermalColumns thermal_columns;
  int nodes = 2;                 ///< of the thermal network
  double known_s = 60;           ///< of a test run, in which its temperature is known
  std::string base;              ///< SoC file to complete; empty: none
  std::string cluster;           ///< of the fixed points; empty: the first
  std::string variants;          ///< CSV, for the fixed points
  std::vector<double> ambients;  ///< of the fixed points, degrees Celsius; empty: no fixed points
  std::string plot;              ///< file for the test runs' temperatures; empty: none
  std::uint64_t seed = 1;
};

struct Identification {
  Result result;  ///< parameters with their standard deviations, and errors on data that was held out
  Soc soc;        ///< `base` with its identified parts replaced
};

/// Identifies latency, power and thermal models from the measurements that the request names. Throws Error (bad input)
/// where there are none, or where they leave a parameter undetermined.
[[nodiscard]] Identification identify(const IdentifyRequest& request);

}  // namespace trimtab::thermal
