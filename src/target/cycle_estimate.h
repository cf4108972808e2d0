#pragma once

namespace trimtab {

/// An estimate of the cycles on the real core. Where the target describes the caches of its flash, they are simulated:
/// every miss takes the wait states. Manuals leave open whether a miss fills a whole line, and prefetching is a
/// setting. `expected` fills lines and prefetches as the maker's start-up code does; the span covers all four machines.
/// Without a description, `least` has no wait states, and in `expected` and `most` every line of the flash that is not
/// the one just read takes them.
struct CycleEstimate {
  double without_waits = 0;  ///< as from a memory without wait states
  double least = 0;
  double expected = 0;
  double most = 0;
};

/// Of two parts of a run.
[[nodiscard]] CycleEstimate operator+(const CycleEstimate& a, const CycleEstimate& b);

}  // namespace trimtab
