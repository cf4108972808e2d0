#include "cost/plan_layers.h"

#include <map>
#include <utility>

#include "base/index.h"
#include "plan/layers.h"
#include "plan/quantized_network.h"

namespace trimtab {

std::vector<WeightLayer> weight_layers(const Graph& network) {
  std::vector<WeightLayer> result;
  for (const Layer& layer : fuse_layers(network)) {
    const Tensor* weight = weight_of(nth(network.nodes, layer.node).op);
    if (weight != nullptr) result.push_back({layer.name, element_count(weight->shape), weight->shape[0]});
  }
  return result;
}

std::int64_t packed_bytes(const std::vector<WeightLayer>& layers, const Plan& plan) {
  std::int64_t bytes = 0;
  for (const WeightLayer& layer : layers)
    bytes += packed_bytes(layer.count, layer.filters, find_layer(plan, layer.name)->weight_bits);
  return bytes;
}

std::vector<std::vector<std::string>> activation_sets(const Graph& network, std::initializer_list<ValueId> without) {
  const std::vector<ValueId> set = shared_grids(network);
  const auto set_of = [&](ValueId value) { return nth(set, value); };
  std::map<ValueId, std::vector<std::string>> sets;
  for (const Layer& layer : fuse_layers(network)) sets[set_of(layer.output)].push_back(layer.name);
  for (const ValueId value : without) sets.erase(set_of(value));
  std::vector<std::vector<std::string>> result;
  result.reserve(sets.size());
  for (auto& [value, names] : sets) result.push_back(std::move(names));
  return result;
}

}  // namespace trimtab
