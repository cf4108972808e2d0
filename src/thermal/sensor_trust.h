#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace trimtab::thermal {

/// Watches whether a sensor still measures. It learns the sensor's noise and its smallest step. A sensor that shows the
/// same bits for much longer than its own noise allows is stuck. A sensor must also follow the changes of temperature
/// that the switching of power causes. The gain of the readings over these changes is estimated for several delays. A
/// sensor whose gain is surely near zero does not follow, whatever noise it adds. Where the switching alone cannot show
/// this, wants_probe() asks for one step of less power.
class SensorTrust {
 public:
  SensorTrust(double period_s, double longest_delay_s);

  /// The model's temperature now, and the range that it had within the longest delay.
  struct Model {
    double celsius = 0;
    double coldest = 0;
    double hottest = 0;
  };
  /// One reading. `steady` is false in a step whose reading was not expected to fit, so that the noise is not learned
  /// from it. Returns why the sensor cannot be believed.
  [[nodiscard]] std::optional<std::string> see(double reading, const Model& model, bool steady);

  [[nodiscard]] double noise_k() const { return noise_; }  ///< standard deviation of a reading
  /// The smallest difference between two readings in a row; 0 until a few of them have differed.
  [[nodiscard]] double quantum_k() const;
  /// Standard deviation of the gain's estimate.
  [[nodiscard]] double gain_uncertainty() const;
  [[nodiscard]] double gain() const;
  /// The recent changes of temperature do not suffice to tell a working sensor from a stuck one.
  [[nodiscard]] bool wants_probe() const { return gain_uncertainty() > wanted_uncertainty; }
  /// The sensor surely follows.
  [[nodiscard]] bool follows() const { return gain() - 3 * gain_uncertainty() > least_gain; }
  /// Forgets what the sensor did, not its noise.
  void forget_gain();

  static constexpr double wanted_uncertainty = 0.09;
  static constexpr double least_gain = 0.3;

 private:
  [[nodiscard]] bool identical_for_too_long(double reading);
  void learn_noise(double reading, const Model& model, bool steady);
  void correlate(double reading, double model);
  [[nodiscard]] double spread() const;  ///< of a reading around the temperature, its quantization included

  double period_s_;
  std::size_t lag_stride_ = 1;
  std::vector<double> products_;  ///< of reading and model, by delay
  std::vector<double> squares_;   ///< of the model, by delay
  std::deque<double> changes_;    ///< of the model against its own mean, newest first
  double model_mean_ = 0;
  double reading_mean_ = 0;
  double noise_ = 0.5;
  double smallest_step_ = 1e9;
  int steps_seen_ = 0;
  std::optional<double> last_reading_;
  double last_error_ = 0;
  std::int64_t run_ = 0;  ///< readings in a row that were the same
  double compared_ = 0;   ///< pairs of readings in a row that were compared, ...
  double identical_ = 0;  ///< ... and those of them that were the same, without the present run
};

}  // namespace trimtab::thermal
