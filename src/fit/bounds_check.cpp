#include "fit/bounds_check.h"

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "cost/energy.h"
#include "cost/plan_layers.h"

namespace trimtab {
namespace {

/// For code, stack and all else of an image that is not weights or arena: with this much to spare nothing is linked.
constexpr std::int64_t flash_margin = 64 << 10;
constexpr std::int64_t ram_margin = 16 << 10;

/// Bytes of all weights, each layer packed without gaps.
std::int64_t weights_bytes(const Graph& network, const Plan& plan) {
  std::int64_t bytes = 0;
  for (const WeightLayer& layer : weight_layers(network))
    bytes += dense_bytes(layer.count, find_layer(plan, layer.name)->weight_bits);
  return bytes;
}

/// The value that is known of a plan, or of one that differs in the weight bits of layers without weights alone. It is
/// made where none is known.
template <typename Value, typename Make>
const Value& once(std::map<std::string, Value>& known, const Graph& network, Plan plan, const Make& make) {
  const std::vector<WeightLayer> weighted = weight_layers(network);
  for (LayerPlan& layer : plan.layers) {
    if (std::ranges::none_of(weighted, [&](const WeightLayer& one) { return one.name == layer.layer; }))
      layer.weight_bits = 8;
  }
  std::string key = to_toml(plan);
  auto found = known.find(key);
  if (found == known.end()) found = known.emplace(std::move(key), make()).first;
  return found->second;
}

}  // namespace

std::int64_t BoundsCheck::arena_bytes(const Graph& network, const Plan& plan) {
  return once(arenas_, network, plan, [&] { return pricer_.smallest_arena(pricer_.sketch(network, plan)); });
}

const Deployment& BoundsCheck::measure(const Graph& network, const Plan& plan) {
  return once(deployments_, network, plan, [&] {
    return pricer_.measure_within(pricer_.lower_network(pricer_.sketch(network, plan)), bounds_.image);
  });
}

bool BoundsCheck::are_far(const Graph& network, const Plan& plan) {
  const Bounds& image = bounds_.image;
  if (image.instructions > 0 || image.need_cycles()) return false;
  if (image.flash_bytes > 0 && packed_bytes(weight_layers(network), plan) + flash_margin > image.flash_bytes)
    return false;
  return image.ram_bytes <= 0 || arena_bytes(network, plan) + ram_margin <= image.ram_bytes;
}

std::int64_t BoundsCheck::largest_arena(const Graph& network, const Plan& plan) {
  if (bounds_.image.ram_bytes <= 0 || are_far(network, plan)) return std::numeric_limits<std::int64_t>::max();
  const Deployment& deployment = measure(network, plan);
  return bounds_.image.ram_bytes - (deployment.ram_bytes() - deployment.arena_bytes);
}

BoundsCheck::Verdict BoundsCheck::check(const Graph& network, const Plan& plan) {
  const std::int64_t weights = weights_bytes(network, plan);
  smallest_.weights = std::min(smallest_.weights, weights);
  if (bounds_.weights_bytes > 0 && weights > bounds_.weights_bytes) return {};
  if (bounds_.memory_bytes > 0) {
    const std::int64_t memory = weights + arena_bytes(network, plan);
    smallest_.memory = std::min(smallest_.memory, memory);
    if (memory > bounds_.memory_bytes) return {false, memory - bounds_.memory_bytes};
  }
  if (are_far(network, plan)) return {true, 0};
  const Deployment& deployment = measure(network, plan);
  smallest_.flash = std::min(smallest_.flash, deployment.flash_bytes());
  smallest_.ram = std::min(smallest_.ram, deployment.ram_bytes());
  smallest_.instructions = std::min(smallest_.instructions, deployment.instructions());
  smallest_.latency_ms = std::min(smallest_.latency_ms, latency_of(pricer_.target(), deployment).held_ms());
  if (const auto choice = choose_clock(pricer_.target(), deployment, bounds_.image)) {
    smallest_.energy_uj = std::min(smallest_.energy_uj, choice->chosen().inference_uj.most);
    smallest_.time_ms = std::min(smallest_.time_ms, choice->costs[choice->nearest()].latency_ms.most);
  }
  if (pricer_.misses(deployment, bounds_.image).empty()) return {true, 0};
  const std::int64_t flash_bound = bounds_.image.flash_bytes;
  return {false, flash_bound > 0 ? std::max<std::int64_t>(deployment.flash_bytes() - flash_bound, 0) : 0};
}

Error BoundsCheck::nothing_fits() const {
  if (bounds_.weights_bytes > 0 && smallest_.weights > bounds_.weights_bytes) {
    return bound_not_met(
        "the weights alone take more than {} bytes with the fewest filters and bits that were tried: {} are the "
        "smallest reachable",
        bounds_.weights_bytes, smallest_.weights);
  }
  if (bounds_.memory_bytes > 0 && smallest_.memory > bounds_.memory_bytes) {
    return bound_not_met(
        "weights and working memory together take more than {} bytes with the fewest filters and bits that were "
        "tried: {} are the smallest reachable",
        bounds_.memory_bytes, smallest_.memory);
  }
  std::string reachable = fmt::format("flash of {} ({} bytes), RAM of {} ({} bytes)", format_bytes(smallest_.flash),
                                      smallest_.flash, format_bytes(smallest_.ram), smallest_.ram);
  if (bounds_.image.instructions > 0)
    reachable += fmt::format(", {} instructions", format_count(smallest_.instructions));
  if (bounds_.image.latency_ms > 0) reachable += fmt::format(", {:.2f} ms", smallest_.latency_ms);
  if (bounds_.image.duty.is_given()) reachable += fmt::format(", {:.2f} ms to the answer", smallest_.time_ms);
  if (bounds_.image.energy_uj > 0) reachable += fmt::format(", {:.4g} uJ", smallest_.energy_uj);
  return bound_not_met(
      "no plan meets the bounds: with the fewest filters and bits that were tried, the smallest reachable are {}; "
      "raise "
      "the bounds to those or start from a smaller network",
      reachable);
}

}  // namespace trimtab
