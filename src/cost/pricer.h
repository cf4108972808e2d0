#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cost/bounds.h"
#include "data/dataset.h"
#include "emit/deploy.h"
#include "emit/explain.h"
#include "graph/graph.h"
#include "learn/quantize.h"
#include "plan/plan.h"
#include "plan/quantized_network.h"
#include "program/program.h"
#include "program/schedule.h"
#include "target/target.h"

namespace trimtab {

/// The time of an inference at the target's highest clock, from the estimate of cycles: the expected one, and the ends
/// of the span over facts that are not documented (target/cycles.h). Without an estimate only a lower end is known: a
/// cycle per executed instruction, which no core beats that does not issue two at a time.
struct Latency {
  double lower_ms = 0;
  std::optional<double> expected_ms;
  std::optional<double> upper_ms;

  /// The latency that is held against a bound: the upper end, where there is one.
  [[nodiscard]] double held_ms() const { return upper_ms.value_or(lower_ms); }
};
[[nodiscard]] Latency latency_of(const Target& target, const Deployment& deployment);

/// "an estimated 18.06 ms (17.35 to 18.42)", or "at least 4.90 ms (...)" with the reason why there is no estimate.
[[nodiscard]] std::string describe_latency(const Target& target, const Deployment& deployment);

/// Adds the estimate to a result: latency_lower_ms and, where they are known, latency_expected_ms and latency_upper_ms;
/// with an estimate also its cycles.
void add_latency(nlohmann::ordered_json& json, const Target& target, const Deployment& deployment);

/// A program bound to a core.
struct ScheduledProgram {
  Program program;
  Schedule schedule;
};

/// A schedule, what its image takes, and what each step takes at the dearest operating point.
struct ScheduledDeployment {
  Schedule schedule;
  Deployment deployment;
  std::vector<StepCost> costs;
};

/// The costs of a network on a target: flash, RAM and instructions of the linked image of a plan, whatever the values
/// of its weights are.
class Pricer {
 public:
  /// `samples` are raw ones as the prepared graph takes them, `probe` a data set whose first sample is run (as loaded;
  /// `preprocessing` is the program's own, of features). `name` is the prefix of the C functions. `with_cycles`:
  /// measure() estimates them, which takes a second image. `input`: of all schedules.
  Pricer(Target target, Optimize optimize, const Dataset& samples, const Dataset& probe, Preprocessing preprocessing,
         std::string name, bool with_cycles, InputForm input = InputForm::whole);

  /// A network of the plan whose numbers are of no use, but whose sizes are right: quickly quantized.
  [[nodiscard]] QuantizedNetwork sketch(const Graph& prepared, const Plan& plan) const;
  [[nodiscard]] Program program_of(const QuantizedNetwork& network) const;
  /// The network as a program with its schedule on the target's core, whose arena is the working memory that it takes.
  /// Strips of one step are alike, so that many plans are priced soon; the program that is deployed may be faster.
  [[nodiscard]] ScheduledProgram lower_network(const QuantizedNetwork& network) const;
  /// The smallest working memory that was found for the network.
  [[nodiscard]] std::int64_t smallest_arena(const QuantizedNetwork& network) const;
  [[nodiscard]] Schedule schedule_of(const Program& program, ScheduleLimits limits = {}) const;
  /// The image of it, linked with the memory of the emulated board, and run on one sample. Throws what deploy() throws.
  [[nodiscard]] Deployment measure(const ScheduledProgram& scheduled) const;
  /// Adds the cycles of an inference at the dearest operating point to a deployment, from an image with a mark after
  /// every step; nothing where there is no model of the core.
  void estimate_cycles(const ScheduledProgram& scheduled, Deployment& deployment) const;

  /// Another schedule for a program whose image misses bounds: a smaller arena where it takes too much RAM, less code
  /// where it takes too much flash. Where both are kept, but not those on time or energy, and `may_grow`: the fastest
  /// with all RAM that there is. `alike`: as in ScheduleLimits, and always so where flash is missed. Nothing where the
  /// last one was made with such limits, or no other is found.
  [[nodiscard]] std::optional<Schedule> next_schedule(const Program& program, const Schedule& last,
                                                      const Deployment& deployment, const Bounds& bounds, bool alike,
                                                      bool may_grow) const;
  /// Measures a program with its own schedule and, while bounds are missed, with others.
  [[nodiscard]] Deployment measure_within(ScheduledProgram scheduled, const Bounds& bounds) const;

  /// Deploys a program for good: sources and image go to `folder`, `samples` are run in the emulator at all operating
  /// points, and the cycles of the dearest are estimated. The schedule is the one within the limits and, while bounds
  /// are missed, another. Bounds may be missed in the end. Throws Error: (bound not met) where even the smallest
  /// image is larger than the part, (failure) where a number differs from the host's.
  [[nodiscard]] ScheduledDeployment deploy_within(const Program& program, const ScheduleLimits& limits,
                                                  const Bounds& bounds, const Dataset& samples,
                                                  const std::filesystem::path& folder) const;

  /// The bounds that are missed; the others are 0.
  [[nodiscard]] Bounds missed_bounds(const Deployment& deployment, const Bounds& bounds) const;
  /// One clause per bound that is missed ("flash takes ... bytes, ... more than its bound of ..."), or nothing.
  [[nodiscard]] std::string misses(const Deployment& deployment, const Bounds& bounds) const;
  /// The figures of the image for everything that `bounds` bounds: "12.0 KB of flash and an estimated 15.00 to 20.00
  /// ms".
  [[nodiscard]] std::string figures(const Deployment& deployment, const Bounds& bounds) const;

  [[nodiscard]] const Target& target() const { return target_; }

 private:
  Target target_;
  Optimize optimize_;
  Dataset samples_;
  Dataset probe_;
  Preprocessing preprocessing_;
  std::string name_;
  bool with_cycles_;
  InputForm input_;
  /// Of the network that was sketched last, and its fingerprint: a search sketches one network for many plans.
  mutable std::optional<std::pair<std::uint64_t, QuickQuantizer>> quantizer_;
};

}  // namespace trimtab
