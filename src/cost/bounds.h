#pragma once

#include <cstdint>

#include "target/power.h"

namespace trimtab {

/// Bounds on a deployed image. 0: no bound.
struct Bounds {
  std::int64_t flash_bytes = 0;
  std::int64_t ram_bytes = 0;
  std::int64_t instructions = 0;  ///< executed per inference, on the emulated core
  double latency_ms = 0;          ///< held against Latency::held_ms()
  double energy_uj = 0;           ///< held against the upper end of an inference's energy at the clock that is chosen
  Duty duty{};                    ///< held against the upper end of the time at a clock

  /// Whether a measurement must estimate cycles to hold them.
  [[nodiscard]] bool need_cycles() const { return latency_ms > 0 || energy_uj > 0 || duty.is_given(); }
};

}  // namespace trimtab
