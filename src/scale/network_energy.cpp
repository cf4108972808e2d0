#include "scale/network_energy.h"

#include <map>

#include "base/index.h"
#include "plan/layers.h"

namespace trimtab {
namespace {

constexpr double nj_per_fj = 1e-6;

}  // namespace

NetworkEnergy::NetworkEnergy(const Graph& graph, EnergyTable table, bool count_activations)
    : table_(std::move(table)), count_activations_(count_activations) {
  const std::vector<Layer> layers = fuse_layers(graph);
  std::map<ValueId, int> producer;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    const Node& node = nth(graph.nodes, layer.node);
    Work work;
    work.macs = multiply_accumulates(graph, node);
    if (const Tensor* weight = weight_of(node.op)) work.weights = element_count(weight->shape);
    // Reshapes and concatenations move nothing.
    if (!std::holds_alternative<Reshape>(node.op) && !std::holds_alternative<Concat>(node.op)) {
      work.outputs = element_count(graph.shape_of(layer.output));
      for (const ValueId input : layer.inputs) {
        const auto found = producer.find(input);
        work.inputs.emplace_back(found == producer.end() ? -1 : found->second, element_count(graph.shape_of(input)));
      }
    }
    producer[layer.output] = static_cast<int>(l);
    layers_.push_back(std::move(work));
  }
}

InferenceEnergy NetworkEnergy::at(const std::vector<Precision>& precision) const {
  const auto activation_bits = [&](int layer) {
    return layer < 0 ? stored_activation_bits : nth(precision, layer).activations;
  };
  InferenceEnergy energy;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Work& work = layers_[l];
    if (work.macs > 0) {
      const int weights = precision[l].weights;
      const int activations = activation_bits(work.inputs.at(0).first);
      energy.macs += static_cast<double>(work.macs) * table_.mac_fj(weights, activations) * nj_per_fj;
      energy.weights += static_cast<double>(work.weights * weights) * table_.weights.fj_per_bit * nj_per_fj;
      energy.interpolated = energy.interpolated || table_.is_interpolated(weights, activations);
    }
    if (!count_activations_) continue;
    std::int64_t bits = work.outputs * precision[l].activations;
    for (const auto& [layer, numbers] : work.inputs) bits += numbers * activation_bits(layer);
    energy.activations += static_cast<double>(bits) * table_.activations.fj_per_bit * nj_per_fj;
  }
  return energy;
}

InferenceEnergy NetworkEnergy::full() const { return at(std::vector<Precision>(layers_.size())); }

}  // namespace trimtab
