#include "cost/pricer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "cost/energy.h"
#include "emit/explain.h"
#include "emit/firmware.h"
#include "emit/machine.h"
#include "emit/recipe.h"
#include "learn/quantize.h"
#include "program/evaluate.h"
#include "program/lower.h"

namespace trimtab {
namespace {

/// Enough to run the network once: the grids need not be good.
constexpr std::int64_t sketch_samples = 4;

/// A number that tells networks apart by names, shapes and weights (FNV-1a).
std::uint64_t fingerprint(const Graph& graph) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&hash](const void* data, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3U;
    }
  };
  for (const Node& node : graph.nodes) {
    add(node.name.data(), node.name.size());
    const Shape& shape = graph.shape_of(node.output);
    add(shape.data(), shape.size() * sizeof(shape[0]));
    if (const Tensor* weight = weight_of(node.op)) add(weight->data.data(), weight->data.size() * sizeof(float));
  }
  return hash;
}

std::set<std::string> names_of_kernels(const Schedule& schedule) {
  std::set<std::string> names;
  for (const Kernel& kernel : schedule.kernels) names.insert(kernel.name);
  for (const KernelVariant& variant : schedule.variants) names.insert(variant.kernel.name);
  return names;
}

}  // namespace

Latency latency_of(const Target& target, const Deployment& deployment) {
  const auto ms = [&](double cycles) { return cycles * 1e3 / static_cast<double>(target.clock_hz.value); };
  if (!deployment.cycles.has_value()) {
    const int width = traits_of(target.processor).issue_width;
    return {ms(static_cast<double>(deployment.instructions()) / width), {}, {}};
  }
  return {ms(deployment.cycles->least), ms(deployment.cycles->expected), ms(deployment.cycles->most)};
}

std::string describe_latency(const Target& target, const Deployment& deployment) {
  const Latency latency = latency_of(target, deployment);
  if (latency.upper_ms.has_value())
    return fmt::format("an estimated {:.2f} ms ({:.2f} to {:.2f})", *latency.expected_ms, latency.lower_ms,
                       *latency.upper_ms);
  const int width = traits_of(target.processor).issue_width;
  if (width > 1) {
    return fmt::format("at least {:.2f} ms ({} instructions a cycle, the most of a {}: only a board tells more)",
                       latency.lower_ms, width, name_of(target.processor));
  }
  return fmt::format("at least {:.2f} ms (a cycle per instruction: there are no timings of the {})", latency.lower_ms,
                     name_of(target.processor));
}

void add_latency(nlohmann::ordered_json& json, const Target& target, const Deployment& deployment) {
  const Latency latency = latency_of(target, deployment);
  if (deployment.cycles.has_value()) add_cycles(json, *deployment.cycles);
  json["latency_lower_ms"] = latency.lower_ms;
  if (latency.expected_ms.has_value()) json["latency_expected_ms"] = *latency.expected_ms;
  if (latency.upper_ms.has_value()) json["latency_upper_ms"] = *latency.upper_ms;
}

Pricer::Pricer(Target target, Optimize optimize, const Dataset& samples, const Dataset& probe,
               Preprocessing preprocessing, std::string name, bool with_cycles, InputForm input)
    : target_(std::move(target)),
      optimize_(optimize),
      samples_(samples.slice(0, std::min(sketch_samples, samples.size()))),
      probe_(probe.slice(0, 1)),
      preprocessing_(std::move(preprocessing)),
      name_(std::move(name)),
      with_cycles_(with_cycles),
      input_(input) {}

QuantizedNetwork Pricer::sketch(const Graph& prepared, const Plan& plan) const {
  const std::uint64_t network = fingerprint(prepared);
  if (!quantizer_.has_value() || quantizer_->first != network) {
    quantizer_.emplace(network, QuickQuantizer(prepared, samples_));
  }
  return quantizer_->second.quantize(plan);
}

Program Pricer::program_of(const QuantizedNetwork& network) const {
  Program program = lower(network, probe_.is_pixels() ? Preprocessing{} : preprocessing_, probe_.classes);
  program.name = name_;
  return program;
}

std::int64_t Pricer::smallest_arena(const QuantizedNetwork& network) const {
  return schedule_of(program_of(network), {.arena_bytes = 0, .alike = true}).arena_bytes;
}

ScheduledProgram Pricer::lower_network(const QuantizedNetwork& network) const {
  Program program = program_of(network);
  Schedule schedule = schedule_of(program, {.alike = true});
  return {std::move(program), std::move(schedule)};
}

Schedule Pricer::schedule_of(const Program& program, ScheduleLimits limits) const {
  // for the stack, and for all else that is no arena
  constexpr std::int64_t rest = 1536;
  limits.room_bytes = target_.ram_bytes.value - rest;
  return schedule(program, core_of(target_), optimize_, limits, input_);
}

std::optional<Schedule> Pricer::next_schedule(const Program& program, const Schedule& last,
                                              const Deployment& deployment, const Bounds& bounds, bool alike,
                                              bool may_grow) const {
  const Bounds missed = missed_bounds(deployment, bounds);
  ScheduleLimits limits{.alike = alike};
  if (missed.flash_bytes == 0 && missed.ram_bytes == 0) {
    const bool too_slow =
        missed.instructions > 0 || missed.latency_ms > 0 || missed.energy_uj > 0 || missed.duty.is_given();
    if (!may_grow || !too_slow) return std::nullopt;
    const std::int64_t part = target_.ram_bytes.value;
    const std::int64_t ram = bounds.ram_bytes > 0 ? std::min(bounds.ram_bytes, part) : part;
    limits.arena_bytes = ram - (deployment.ram_bytes() - deployment.arena_bytes);
    if (*limits.arena_bytes <= last.arena_bytes) return std::nullopt;
    Schedule faster = schedule_of(program, limits);
    return faster.arena_bytes > last.arena_bytes ? std::optional(std::move(faster)) : std::nullopt;
  }
  limits.arena_bytes = last.arena_bytes;
  if (missed.ram_bytes > 0) *limits.arena_bytes -= deployment.ram_bytes() - bounds.ram_bytes;
  limits.alike = alike || missed.flash_bytes > 0;
  limits.one_kernel_each = missed.flash_bytes > 0 && last.variants.empty();
  if (*limits.arena_bytes < 0) return std::nullopt;
  Schedule smaller = schedule_of(program, limits);
  const bool less_code = missed.flash_bytes > 0 && names_of_kernels(smaller) != names_of_kernels(last);
  const bool less_ram = missed.ram_bytes > 0 && smaller.arena_bytes < last.arena_bytes;
  return less_code || less_ram ? std::optional(std::move(smaller)) : std::nullopt;
}

Deployment Pricer::measure_within(ScheduledProgram scheduled, const Bounds& bounds) const {
  Deployment deployment = measure(scheduled);
  constexpr int most_attempts = 3;  // each costs an image and a run
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    std::optional<Schedule> next =
        next_schedule(scheduled.program, scheduled.schedule, deployment, bounds, true, attempt == 0);
    if (!next.has_value()) break;
    scheduled.schedule = std::move(*next);
    deployment = measure(scheduled);
  }
  return deployment;
}

ScheduledDeployment Pricer::deploy_within(const Program& program, const ScheduleLimits& limits, const Bounds& bounds,
                                          const Dataset& samples, const std::filesystem::path& folder) const {
  const std::vector<std::uint8_t> inputs = convert_samples(program, samples);
  const std::vector<std::int32_t> expected = host_outputs(program, inputs, samples.size());
  const auto deploy_with = [&](Schedule schedule) {
    Deployment deployment = deploy(program, schedule, target_, name_, inputs, expected, folder);
    return ScheduledDeployment{std::move(schedule), std::move(deployment), {}};
  };
  const auto first = [&] {
    try {
      return deploy_with(schedule_of(program, limits));
    } catch (const Error& error) {
      if (error.code() != ExitCode::bound_not_met) throw;
      // the image is larger than the part: once more with the least that there is of memory and code
      return deploy_with(schedule_of(program, {.arena_bytes = 0, .one_kernel_each = true}));
    }
  };
  const auto estimate = [&](ScheduledDeployment& made) {
    if (!made.costs.empty()) return;
    made.costs = measure_steps(program, made.schedule, with_memory_of_board(target_), made.deployment.dearest_point());
    made.deployment.cycles = sum_cycles(made.costs);
    made.deployment.clock_cycles = sum_clock_cycles(made.costs);
  };
  ScheduledDeployment made = first();
  for (bool may_grow = true;; may_grow = false) {
    if (with_cycles_) estimate(made);
    std::optional<Schedule> next = next_schedule(program, made.schedule, made.deployment, bounds, false, may_grow);
    if (!next.has_value()) break;
    made = deploy_with(std::move(*next));
  }
  if (made.deployment.mismatches > 0) {
    throw failure("the emulated device and the host differ in {} numbers over {} samples", made.deployment.mismatches,
                  samples.size());
  }
  estimate(made);
  return made;
}

Deployment Pricer::measure(const ScheduledProgram& scheduled) const {
  const TemporaryDirectory work;
  const Program& program = scheduled.program;
  const std::vector<std::uint8_t> inputs = convert_samples(program, probe_);
  Deployment deployment = deploy(program, scheduled.schedule, with_memory_of_board(target_), name_, inputs,
                                 host_outputs(program, inputs, 1), work.path());
  if (with_cycles_) estimate_cycles(scheduled, deployment);
  return deployment;
}

void Pricer::estimate_cycles(const ScheduledProgram& scheduled, Deployment& deployment) const {
  if (cycle_model(target_.processor).empty()) return;
  const std::vector<StepCost> costs =
      measure_steps(scheduled.program, scheduled.schedule, with_memory_of_board(target_), deployment.dearest_point());
  deployment.cycles = sum_cycles(costs);
  deployment.clock_cycles = sum_clock_cycles(costs);
}

Bounds Pricer::missed_bounds(const Deployment& deployment, const Bounds& bounds) const {
  const auto missed = [](auto value, auto bound) { return bound > 0 && value > bound ? bound : decltype(bound){0}; };
  Bounds all{missed(deployment.flash_bytes(), bounds.flash_bytes), missed(deployment.ram_bytes(), bounds.ram_bytes),
             missed(deployment.instructions(), bounds.instructions),
             missed(latency_of(target_, deployment).held_ms(), bounds.latency_ms)};
  if (const auto choice = choose_clock(target_, deployment, bounds)) {
    all.energy_uj = missed(choice->chosen().inference_uj.most, bounds.energy_uj);
    if (!choice->chosen().in_time) all.duty = bounds.duty;
  }
  return all;
}

std::string Pricer::figures(const Deployment& deployment, const Bounds& bounds) const {
  std::vector<std::string> all;
  if (bounds.flash_bytes > 0) all.push_back(format_bytes(deployment.flash_bytes()) + " of flash");
  if (bounds.ram_bytes > 0) all.push_back(format_bytes(deployment.ram_bytes()) + " of RAM");
  if (bounds.instructions > 0) all.push_back(format_count(deployment.instructions()) + " instructions");
  if (bounds.latency_ms > 0) all.push_back(describe_latency(target_, deployment));
  if (const auto choice = choose_clock(target_, deployment, bounds)) {
    if (bounds.duty.is_given()) {
      const std::size_t nearest = choice->chosen().in_time ? choice->clock : choice->nearest();
      all.push_back(fmt::format("{} at {}", describe_time(choice->costs[nearest]),
                                format_frequency(static_cast<double>(target_.power->clocks[nearest].hz))));
    }
    if (bounds.energy_uj > 0) all.push_back(describe_energy(target_, *choice));
  }
  return fmt::format("{}", fmt::join(all, " and "));
}

std::string Pricer::misses(const Deployment& deployment, const Bounds& bounds) const {
  const Bounds missed = missed_bounds(deployment, bounds);
  std::string text;
  const auto add = [&](const std::string& clause) { text += (text.empty() ? "" : " and ") + clause; };
  const auto check = [&](const std::string& what, std::int64_t bytes, std::int64_t bound) {
    if (bound == 0) return;
    add(fmt::format("{} takes {} bytes, {} more than its bound of {}", what, bytes, bytes - bound,
                    format_bytes(bound)));
  };
  check("flash", deployment.flash_bytes(), missed.flash_bytes);
  check("RAM", deployment.ram_bytes(), missed.ram_bytes);
  if (missed.instructions > 0) {
    add(fmt::format("an inference takes {} instructions, more than the bound of {}",
                    format_count(deployment.instructions()), format_count(missed.instructions)));
  }
  if (missed.latency_ms > 0) {
    add(fmt::format("an inference takes {}, more than the bound of {:.2f} ms", describe_latency(target_, deployment),
                    missed.latency_ms));
  }
  if (missed.energy_uj <= 0 && !missed.duty.is_given()) return text;
  const ClockChoice choice = *choose_clock(target_, deployment, bounds);
  if (missed.duty.is_given()) {
    const std::size_t nearest = choice.nearest();
    add(fmt::format("no clock of {} meets the {} of {:.2f} ms: the nearest, {}, takes {}", target_.name,
                    missed.duty.deadline_ms > 0 ? "deadline" : "period", missed.duty.allowed_ms(),
                    format_frequency(static_cast<double>(target_.power->clocks[nearest].hz)),
                    describe_time(choice.costs[nearest])));
  }
  if (missed.energy_uj > 0) {
    add(fmt::format("an inference takes {}, more than the bound of {:.4g} uJ", describe_energy(target_, choice),
                    missed.energy_uj));
  }
  return text;
}

}  // namespace trimtab
