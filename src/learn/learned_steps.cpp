#include "learn/learned_steps.h"

#include <cmath>

#include "base/index.h"
#include "learn/weight_grid.h"

namespace trimtab {

namespace {

/// Share of its first value below which no step falls.
constexpr float least_share = 0.01F;

torch::Tensor trainable(const std::vector<float>& numbers) { return torch::tensor(numbers).requires_grad_(true); }

}  // namespace

LearnedSteps::LearnedSteps(const Graph& network, const std::vector<Layer>& layers, const Plan& plan,
                           const std::vector<std::optional<ActivationGrid>>& grids, Executor& executor)
    : executor_(executor), grids_(grids), set_(shared_grids(network)) {
  const Graph& graph = executor.graph();
  weights_.resize(graph.nodes.size());
  values_.resize(graph.values.size());
  std::vector<torch::Tensor> of_set(graph.values.size());
  const auto add_value = [&](ValueId value, const Saturation& saturation) {
    const ActivationGrid& grid = *nth(grids_, value);
    torch::Tensor& step = nth(of_set, nth(set_, value));
    ValueStep& own = nth(values_, value).emplace();
    own.leads = !step.defined();
    if (own.leads) step = trainable({grid.scale});
    own.step = step;
    own.least = grid.scale * least_share;
    own.range = {grid.lowest_step(), grid.highest_step(), saturation};
    own.gradient_scale = 1 / std::sqrt(static_cast<double>(element_count(graph.shape_of(value))) *
                                       static_cast<double>(largest_step(grid)));
  };
  const ActivationGrid& input = *nth(grids_, network.input);
  const bool raw_pixels = !input.is_signed;  // features are signed
  if (!raw_pixels && network.input_parts.empty()) add_value(network.input, {});
  for (const Layer& layer : layers) {
    const ActivationGrid& grid = *nth(grids_, layer.output);
    const bool of_input = nth(set_, layer.output) == nth(set_, network.input);
    if (computes(network, layer) && grid.bits <= 8 && !(of_input && raw_pixels)) {
      add_value(layer.output, saturation_of(network, layer));
    }
  }
  const PlanByLayer planned(plan);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const Tensor* weight = weight_of(node.op);
    if (weight == nullptr) continue;
    WeightStep& own = weights_[i].emplace();
    own.bits = planned.of(node.name).weight_bits;
    own.step = trainable(make_weight_grid(*weight, {}, 1, own.bits, RangeMethod::mse).scale);
    own.least = own.step.detach() * least_share;
    const double per_channel = static_cast<double>(element_count(weight->shape) / weight->shape.at(0));
    own.gradient_scale = 1 / std::sqrt(per_channel * (std::ldexp(1.0, own.bits - 1) - 1));
  }
  executor_.weight_hook = [this](std::size_t node, const torch::Tensor& weight) {
    const WeightStep& own = weight_step(node);
    return fake_quantize_weight(weight, own.step, own.bits, own.gradient_scale);
  };
  executor_.value_hook = [this](ValueId value, const torch::Tensor& tensor) {
    const auto& own = nth(values_, value);
    return own ? fake_quantize_activation(tensor, own->step, own->range, own->gradient_scale) : tensor;
  };
}

LearnedSteps::~LearnedSteps() {
  executor_.weight_hook = nullptr;
  executor_.value_hook = nullptr;
}

std::vector<TrainedTensor> LearnedSteps::tensors(double scale) const {
  std::vector<TrainedTensor> result;
  const Graph& graph = executor_.graph();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i]) result.push_back({graph.nodes[i].name + ".weight_step", weights_[i]->step, false, scale});
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (values_[i] && values_[i]->leads) {
      result.push_back({graph.values[i].name + ".step", values_[i]->step, false, scale});
    }
  }
  return result;
}

void LearnedSteps::keep_apart_from_zero() {
  const torch::NoGradGuard no_gradients;
  for (auto& own : weights_) {
    if (own) {
      own->step.copy_(
          torch::where(own->least > 0, torch::maximum(own->step, own->least), torch::minimum(own->step, own->least)));
    }
  }
  for (auto& own : values_) {
    if (own && own->leads) own->step.clamp_min_(own->least);
  }
}

std::vector<std::optional<ActivationGrid>> LearnedSteps::grids() const {
  std::vector<std::optional<ActivationGrid>> result = grids_;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (!values_[i]) continue;
    for (std::size_t other = 0; other < result.size(); ++other) {
      if (result[other] && set_[other] == set_[i]) result[other]->scale = values_[i]->step.item<float>();
    }
  }
  return result;
}

}  // namespace trimtab
