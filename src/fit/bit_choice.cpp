#include "fit/bit_choice.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "cost/plan_layers.h"
#include "study/evolve.h"
#include "study/knapsack.h"

namespace trimtab {
namespace {

double loss_at(const std::map<int, double>& losses, int bits) {
  const auto found = losses.find(bits);
  return found == losses.end() ? 0 : found->second;
}

const LayerSensitivity& sensitivity_of(const std::vector<LayerSensitivity>& all, const std::string& layer) {
  return *std::find_if(all.begin(), all.end(), [&](const LayerSensitivity& one) { return one.layer == layer; });
}

/// A plan whose activations are chosen, and with the weights' bits that the engine finds for it, if it does.
struct Start {
  Plan plan;
  std::optional<Plan> by_kl;
};

class BitChoice {
 public:
  BitChoice(const Graph& network, const Plan& filters, const std::vector<LayerSensitivity>& by_kl, BoundsCheck& bounds,
            const BitChoiceOptions& options)
      : network_(network),
        filters_(filters),
        by_kl_(by_kl),
        bounds_(bounds),
        options_(options),
        layers_(weight_layers(network)),
        sets_(activation_sets(network, {network.input, network.output})) {}

  /// One start, or, where weights and arena share a bound, the best for every least number of bits. What narrow weights
  /// lose training gives back better than what narrow activations do, which the divergence before training does not
  /// tell: the trials decide between them.
  std::vector<Start> starts() {
    std::vector<Start> result;
    for (const int least_bits : options_.activation_bits) {
      // weights of 8 bits need less working memory: tried where the narrowest leave no room
      std::optional<Start> best;
      for (const int bits : {options_.weight_bits.front(), options_.weight_bits.back()}) {
        if (!best) best = best_start(choose_activations(widest_plan(bits), least_bits));
      }
      const bool is_new = best && std::none_of(result.begin(), result.end(),
                                               [&](const Start& other) { return other.plan == best->plan; });
      if (is_new) result.push_back(*std::move(best));
      if (!is_shared()) break;
    }
    return result;
  }

  /// The bits of weights with the least loss within the bounds, found with a budget that is corrected by what the
  /// linked image takes. Nothing where none is found.
  std::optional<Plan> choose_weights(const Plan& start, const std::vector<LayerSensitivity>& sensitivities) {
    std::vector<std::vector<Choice>> items;
    std::int64_t budget = 0;
    for (const WeightLayer& layer : layers_) {
      const LayerSensitivity& own = sensitivity_of(sensitivities, layer.name);
      std::vector<Choice>& choices = items.emplace_back();
      for (const int bits : options_.weight_bits)
        choices.push_back({packed_bytes(layer.count, layer.filters, bits), own.weights.at(bits)});
      budget += choices.back().cost;
    }
    const PlanBounds& most = bounds_.bounds();
    for (const std::int64_t bound : {most.weights_bytes, most.memory_bytes, most.image.flash_bytes})
      if (bound > 0) budget = std::min(budget, bound);
    for (int attempt = 0; attempt < 8; ++attempt) {
      const auto chosen = options_.engine == BitEngine::knapsack ? solve_knapsack(items, budget)
                                                                 : evolve_choices(items, budget, options_.seed);
      if (!chosen) return std::nullopt;
      Plan plan = start;
      for (std::size_t i = 0; i < layers_.size(); ++i)
        find_layer(plan, layers_[i].name)->weight_bits = options_.weight_bits[(*chosen)[i]];
      const BoundsCheck::Verdict verdict = bounds_.check(network_, plan);
      if (verdict.met) return plan;
      if (verdict.over <= 0) return std::nullopt;  // another bound, which bits do not help
      budget = std::min(budget, packed_bytes(layers_, plan)) - verdict.over;
    }
    return std::nullopt;
  }

  /// The same bits of all weights, the most that fit.
  std::optional<Plan> choose_uniform(Plan plan) {
    for (std::size_t i = options_.weight_bits.size(); i-- > 0;) {
      for (LayerPlan& layer : plan.layers) layer.weight_bits = options_.weight_bits[i];
      if (bounds_.check(network_, plan).met) return plan;
    }
    return std::nullopt;
  }

 private:
  /// Whether weights and arena share a bound.
  [[nodiscard]] bool is_shared() const { return bounds_.bounds().memory_bytes > 0; }

  /// The widest activations, and the same bits of all weights.
  [[nodiscard]] Plan widest_plan(int weight_bits) const {
    Plan plan = uniform_plan(network_, weight_bits, options_.activation_bits.back());
    for (LayerPlan& layer : plan.layers) layer.filters = find_layer(filters_, layer.layer)->filters;
    return plan;
  }

  [[nodiscard]] double activations_loss(const std::vector<std::string>& layers, int bits) const {
    double sum = 0;
    for (const std::string& layer : layers) sum += loss_at(sensitivity_of(by_kl_, layer).activations, bits);
    return sum;
  }

  /// The plan with the next fewer bits in a set of activations, as long as those are not less than `least_bits`.
  [[nodiscard]] std::optional<Plan> narrowed(const Plan& plan, const std::vector<std::string>& set,
                                             int least_bits) const {
    const int bits = find_layer(plan, set[0])->activation_bits;
    const auto next = std::lower_bound(options_.activation_bits.begin(), options_.activation_bits.end(), bits);
    if (next == options_.activation_bits.begin() || *(next - 1) < least_bits) return std::nullopt;
    Plan result = plan;
    for (const std::string& layer : set) find_layer(result, layer)->activation_bits = *(next - 1);
    return result;
  }

  /// Gives activations the most bits with which the arena fits: as long as it does not, those are narrowed, to no less
  /// than `least_bits`, that free the most memory for what they lose. Nothing where even the narrowest do not fit.
  /// Where weights share a bound with the arena, further plans follow, each with a smaller arena.
  std::vector<Plan> choose_activations(Plan plan, int least_bits) {
    std::int64_t limit = bounds_.largest_arena(network_, plan);
    if (limit == std::numeric_limits<std::int64_t>::max() && !is_shared()) return {plan};
    std::int64_t arena = bounds_.arena_bytes(network_, plan);
    std::vector<Plan> result;
    for (;;) {
      if (arena <= limit) {
        result.push_back(plan);
        if (!is_shared()) return result;
        limit = arena - 1;
      }
      std::optional<Plan> best;
      double best_score = -1;
      std::int64_t best_arena = arena;
      for (const std::vector<std::string>& set : sets_) {
        std::optional<Plan> candidate = narrowed(plan, set, least_bits);
        if (!candidate) continue;
        const std::int64_t bytes = bounds_.arena_bytes(network_, *candidate);
        const auto loss_in = [&](const Plan& in) {
          return activations_loss(set, find_layer(in, set[0])->activation_bits);
        };
        const double more = std::max(1e-9, loss_in(*candidate) - loss_in(plan));
        // what frees nothing alone may do so with others: the cheapest of them, where no other helps
        const double score = bytes < arena ? static_cast<double>(arena - bytes) / more : 1e-12 / more;
        if (score > best_score) {
          best_score = score;
          best = std::move(candidate);
          best_arena = bytes;
        }
      }
      if (!best) return result;
      plan = *std::move(best);
      arena = best_arena;
    }
  }

  /// Of these the one with which the engine's weights and the activations lose least together. A single one is taken
  /// whatever it loses: uniform bits may fit where the engine finds none.
  std::optional<Start> best_start(std::vector<Plan> plans) {
    std::optional<Start> best;
    double least = std::numeric_limits<double>::infinity();
    for (Plan& plan : plans) {
      std::optional<Plan> found = choose_weights(plan, by_kl_);
      const double loss = found ? loss_of(*found) : std::numeric_limits<double>::infinity();
      if (loss < least || plans.size() == 1) {
        least = loss;
        best = Start{std::move(plan), std::move(found)};
      }
    }
    return best;
  }

  /// The divergences of all weights and activations under a plan, added up.
  [[nodiscard]] double loss_of(const Plan& plan) const {
    double loss = 0;
    for (const LayerSensitivity& layer : by_kl_) {
      const LayerPlan& own = *find_layer(plan, layer.layer);
      loss += loss_at(layer.weights, own.weight_bits) + loss_at(layer.activations, own.activation_bits);
    }
    return loss;
  }

  const Graph& network_;
  const Plan& filters_;
  const std::vector<LayerSensitivity>& by_kl_;
  BoundsCheck& bounds_;
  const BitChoiceOptions& options_;
  std::vector<WeightLayer> layers_;
  std::vector<std::vector<std::string>> sets_;
};

}  // namespace

std::vector<ChosenBits> choose_bits(const Graph& network, const Plan& plan, const std::vector<LayerSensitivity>& by_kl,
                                    const std::vector<LayerSensitivity>& by_fisher, BoundsCheck& bounds,
                                    const BitChoiceOptions& options) {
  BitChoice choice(network, plan, by_kl, bounds, options);
  std::vector<ChosenBits> result;
  const auto add = [&](std::optional<Plan> found, const std::string& made_by) {
    const bool is_new = found && std::none_of(result.begin(), result.end(),
                                              [&](const ChosenBits& other) { return other.plan == found; });
    if (is_new) result.push_back({*std::move(found), made_by});
  };
  const std::string engine = options.engine == BitEngine::knapsack ? "knapsack" : "NSGA-II";
  for (Start& start : choice.starts()) {
    add(std::move(start.by_kl), engine + " of kl");
    add(choice.choose_uniform(start.plan), "uniform");
    add(choice.choose_weights(start.plan, by_fisher), engine + " of fisher");
  }
  return result;
}

}  // namespace trimtab
