#pragma once

#include "target/power.h"

namespace trimtab::test {

/// Clocks of 10 and 100 MHz: a cycle of the slow one takes a third of the energy, 0.1 nJ.
inline Power two_clocks() {
  PowerClock slow;
  slow.hz = 10'000'000;
  slow.nj_per_cycle_least = slow.nj_per_cycle = slow.nj_per_cycle_most = 0.1;
  PowerClock fast = slow;
  fast.hz = 100'000'000;
  fast.nj_per_cycle_least = fast.nj_per_cycle = fast.nj_per_cycle_most = 0.3;
  Power power;
  power.clocks = {slow, fast};
  return power;
}

}  // namespace trimtab::test
