#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "base/error.h"
#include "cost/pricer.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace trimtab {

/// Bounds on a searched plan. 0: no bound.
struct PlanBounds {
  Bounds image;
  std::int64_t weights_bytes = 0;  ///< packed weights alone, each layer without gaps
  std::int64_t memory_bytes = 0;   ///< those and the arena together
};

/// Whether networks under plans meet the bounds, each told as cheaply as it can be: what bits and the memory planner
/// say first, and an image is linked and run only where its code and stack can matter. Remembers the smallest that it
/// has seen.
class BoundsCheck {
 public:
  BoundsCheck(const Pricer& pricer, const PlanBounds& bounds) : pricer_(pricer), bounds_(bounds) {}

  struct Verdict {
    bool met = false;
    std::int64_t over = 0;  ///< bytes of weights that it has too many; 0 where it meets, or fewer would not help
  };
  Verdict check(const Graph& network, const Plan& plan);

  /// Whether the image's bounds are so far away that code, stack and all else that is not weights or arena cannot
  /// matter.
  [[nodiscard]] bool are_far(const Graph& network, const Plan& plan);

  /// Working memory of a network under a plan, which must name all that it depends on. Planned once: the search comes
  /// back to the same plans.
  [[nodiscard]] std::int64_t arena_bytes(const Graph& network, const Plan& plan);

  /// The largest arena for which the bound on RAM leaves room beside the rest that this plan's image needs.
  [[nodiscard]] std::int64_t largest_arena(const Graph& network, const Plan& plan);

  /// The error where nothing has met the bounds: the bound in the way, and the smallest reachable.
  [[nodiscard]] Error nothing_fits() const;

  [[nodiscard]] const PlanBounds& bounds() const { return bounds_; }

 private:
  /// The image of a network under a plan, linked and run once, too.
  const Deployment& measure(const Graph& network, const Plan& plan);

  struct Smallest {
    std::int64_t flash = std::numeric_limits<std::int64_t>::max();
    std::int64_t ram = std::numeric_limits<std::int64_t>::max();
    std::int64_t instructions = std::numeric_limits<std::int64_t>::max();
    double latency_ms = std::numeric_limits<double>::infinity();
    double time_ms = std::numeric_limits<double>::infinity();  ///< at the clock that answers the soonest
    double energy_uj = std::numeric_limits<double>::infinity();
    std::int64_t weights = std::numeric_limits<std::int64_t>::max();
    std::int64_t memory = std::numeric_limits<std::int64_t>::max();
  };

  const Pricer& pricer_;
  PlanBounds bounds_;
  Smallest smallest_;
  std::map<std::string, std::int64_t> arenas_;     ///< by plan
  std::map<std::string, Deployment> deployments_;  ///< likewise
};

}  // namespace trimtab
