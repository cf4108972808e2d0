#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace trimtab::thermal {

/// A voltage-frequency pair of a cluster.
struct Opp {
  double mhz = 0;
  double volts = 0;  ///< 0 where the board hides its voltages (BCM2711)
};

/// Power of a cluster in W:
///   P = V^2 (clock f + cycles a + w) + leakage V exp(leakage_per_volt (V - 1) + leakage_per_kelvin (T - 60)) +
///   constant
/// with V in volts, f in GHz, a the active cycles of all cores in 1e9/s, T in degrees Celsius and w the switching of
/// the work in W/V^2. CMOS switching takes the energy C V^2 per event. The subthreshold leakage is exponential in V
/// (DIBL) and, over the 60 K that matter here, in T (Roy, Mukhopadhyay, Mahmoodi-Meimand, Proc. IEEE 91(2), 2003).
struct PowerModel {
  double clock = 0;               ///< W/(V^2 GHz)
  double cycles = 0;              ///< W/(V^2 1e9 cycles/s)
  double leakage = 0;             ///< W/V at 1 V and 60 degrees
  double leakage_per_volt = 0;    ///< 1/V
  double leakage_per_kelvin = 0;  ///< 1/K
  double constant = 0;            ///< W
};

[[nodiscard]] double leakage_w(const PowerModel& model, double volts, double celsius);
/// Slope of the leakage over temperature, W/K.
[[nodiscard]] double leakage_slope(const PowerModel& model, double volts, double celsius);

struct Cluster {
  std::string name;
  int cores = 1;
  std::vector<Opp> opps;  ///< frequencies rising
  PowerModel power;
  double transition_s = 0;  ///< time in which nothing is computed at every change of frequency
  std::size_t node = 0;     ///< of the network that it heats
};

/// A chain of 1 to 3 nodes. The sensor reads node 0. A cluster heats node 0, or the one that its `heats` names, such as
/// the die beside another cluster's hot spot. resistance[i] joins node i to node i+1, and the last node to the ambient.
/// The rest of the board heats the last node.
struct Network {
  std::vector<std::string> nodes;
  std::vector<double> capacity;    ///< J/K
  std::vector<double> resistance;  ///< K/W
  double fan_resistance = 0;       ///< K/W from the last node to the ambient while a fan runs; 0: no fan
};

/// K/W from node `index` to the next node, or from the last node to the ambient.
[[nodiscard]] double resistance_behind(const Network& network, std::size_t index, bool fan = false);
/// Steady rise of node 0 per watt into a node, K/W.
[[nodiscard]] double total_resistance(const Network& network, bool fan = false, std::size_t node = 0);

struct Trip {
  double celsius = 0;
  std::string type;  ///< as Linux names them: active, passive, hot, critical
};

/// The content of the file targets/socs/NAME.toml.
struct Soc {
  std::string name;
  std::string description;
  std::vector<Cluster> clusters;
  Network network;
  double other_w = 0;  ///< heat of the rest of the board, into the last node
  std::vector<Trip> trips;
  double limit_c = 85;
  /// The origin of the numbers, by key ("thermal", "a15.opps", ...). Each begins with identified:, sourced: or
  /// assumed:.
  std::map<std::string, std::string> origin;
  /// Relative standard deviation of identified parameters, by name.
  std::map<std::string, double> uncertainty;
};

/// Throws Error (bad input) where there is no such cluster.
[[nodiscard]] const Cluster& find_cluster(const Soc& soc, const std::string& name);

/// Throws Error (bad input) naming the file and the key that is missing, of the wrong type or out of physical range.
[[nodiscard]] Soc read_soc(const std::filesystem::path& path);
/// The text of the TOML file; read_soc() of it gives the same values.
[[nodiscard]] std::string format_soc(const Soc& soc);

}  // namespace trimtab::thermal
