#include "search/plan_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "learn/shrink.h"
#include "plan/layers.h"
#include "plan/prune.h"
#include "search/evolve.h"
#include "search/knapsack.h"

namespace trimtab {
namespace {

/// A network of one width, before its bits are chosen.
struct Width {
  double share = 1;
  std::vector<std::int64_t> kept;  ///< by group; empty: all
  Graph structure;                 ///< of these widths, its weights of no use
  TrialSpec trial;                 ///< that prunes it and lets it recover
};

/// The smallest that was seen, for the message where nothing fits.
struct Smallest {
  std::int64_t flash = std::numeric_limits<std::int64_t>::max();
  std::int64_t ram = std::numeric_limits<std::int64_t>::max();
  std::int64_t instructions = std::numeric_limits<std::int64_t>::max();
  std::int64_t weights = std::numeric_limits<std::int64_t>::max();
  std::int64_t memory = std::numeric_limits<std::int64_t>::max();
  void see(const Deployment& deployment) {
    flash = std::min(flash, deployment.flash_bytes());
    ram = std::min(ram, deployment.ram_bytes());
    instructions = std::min(instructions, deployment.instructions);
  }
};

struct Weights {
  std::string layer;
  std::int64_t count = 0;
  std::int64_t filters = 0;
};

/// Layers with weights, in order.
std::vector<Weights> weights_of(const Graph& graph) {
  std::vector<Weights> result;
  for (const Layer& layer : fuse_layers(graph)) {
    const Tensor* weight = weight_of(graph.nodes[static_cast<std::size_t>(layer.node)].op);
    if (weight != nullptr) result.push_back({layer.name, element_count(weight->shape), weight->shape[0]});
  }
  return result;
}

LayerPlan& entry_of(Plan& plan, const std::string& layer) {
  return *std::find_if(plan.layers.begin(), plan.layers.end(),
                       [&](const LayerPlan& entry) { return entry.layer == layer; });
}

class PlanSearch {
 public:
  PlanSearch(const FitTrialData& data, const Pricer& pricer, const PlanSearchOptions& options, Study& study,
             TrialRunner& runner)
      : data_(data), pricer_(pricer), options_(options), study_(study), runner_(runner) {
    std::sort(options_.weight_bits.begin(), options_.weight_bits.end());
    std::sort(options_.activation_bits.begin(), options_.activation_bits.end());
    std::sort(options_.widths.begin(), options_.widths.end(), std::greater<>());
    groups_ = find_channel_groups(*data.prepared);
  }

  PlanSearchResult run() {
    const std::vector<Width> widths = feasible_widths();
    tell(fmt::format("{} of {} widths can meet the bounds", widths.size(), options_.widths.size()));
    std::vector<TrialSpec> specs;
    for (const Width& width : widths) specs.push_back(width.trial);
    const std::vector<Trial> pruned = run_round(specs, "pruning and recovery");
    for (std::size_t w = 0; w < widths.size(); ++w) {
      if (pruned[w].state == TrialState::done) add_candidates(widths[w]);
    }
    if (candidates_.empty()) throw nothing_fits();
    halve();
    last_round();
    result_.finalists = std::move(candidates_);
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (options_.report) options_.report(line);
  }

  [[nodiscard]] Error nothing_fits() const {
    if (options_.memory_bytes > 0 && smallest_.memory > options_.memory_bytes) {
      return bound_not_met(
          "weights and working memory together take more than {} bytes with the fewest filters and bits that were "
          "tried: {} are the smallest reachable",
          options_.memory_bytes, smallest_.memory);
    }
    if (smallest_.flash == std::numeric_limits<std::int64_t>::max()) {
      return bound_not_met(
          "the weights alone take more than {} bytes with the fewest filters and bits that were tried: {} are the "
          "smallest reachable",
          options_.weights_bytes, smallest_.weights);
    }
    return bound_not_met(
        "no plan meets the bounds: with the fewest filters and bits that were tried, flash of {} ({} bytes), RAM of {} "
        "({} bytes) and {} instructions are the smallest reachable; raise the bounds to those or start from a smaller "
        "network",
        format_bytes(smallest_.flash), smallest_.flash, format_bytes(smallest_.ram), smallest_.ram,
        format_count(smallest_.instructions));
  }

  std::vector<Trial> run_round(const std::vector<TrialSpec>& specs, const std::string& stage) {
    RunTrialsOptions options;
    options.stage = stage;
    std::vector<Trial> trials = run_trials(study_, specs, runner_, options);
    std::string reason;
    bool any = false;
    for (const Trial& trial : trials) {
      ++result_.trials;
      if (trial.state != TrialState::done) {
        reason = trial.reason;
        continue;
      }
      any = true;
      result_.epochs += trial.metrics.at("epochs").get<double>() * trial.metrics.at("samples").get<double>() /
                        static_cast<double>(data_.train.size());
    }
    if (!any) throw failure("all trials of the stage '{}' failed; the last one because: {}", stage, reason);
    return trials;
  }

  // Widths

  /// The plan of one weight and activation width everywhere, with the filters that a structure has.
  [[nodiscard]] Plan plan_for(const Graph& structure, int weight_bits, int activation_bits) const {
    Plan plan = uniform_plan(structure, weight_bits, activation_bits);
    std::map<std::string, std::int64_t> before;
    for (const Layer& layer : fuse_layers(*data_.prepared))
      before[layer.name] = data_.prepared->shape_of(layer.output)[0];
    for (const Layer& layer : fuse_layers(structure)) {
      const std::int64_t filters = structure.shape_of(layer.output)[0];
      if (filters < before.at(layer.name)) entry_of(plan, layer.name).filters = filters;
    }
    return plan;
  }

  /// Bytes of all weights, each layer packed without gaps.
  [[nodiscard]] static std::int64_t weights_bytes(const Graph& structure, Plan plan) {
    std::int64_t bytes = 0;
    for (const Weights& layer : weights_of(structure))
      bytes += (layer.count * entry_of(plan, layer.layer).weight_bits + 7) / 8;
    return bytes;
  }

  [[nodiscard]] bool weights_fit(const Graph& structure, const Plan& plan) const {
    return options_.weights_bytes <= 0 || weights_bytes(structure, plan) <= options_.weights_bytes;
  }

  /// Working memory of a network under a plan, which names all that it depends on. Planned once: the search comes back
  /// to the same plans.
  std::int64_t arena_bytes(const Graph& network, const Plan& plan) {
    const auto [entry, is_new] = arenas_.try_emplace(to_toml(plan), 0);
    if (is_new) entry->second = pricer_.arena_bytes(pricer_.sketch(network, plan));
    return entry->second;
  }

  /// Bytes of weights and arena together.
  std::int64_t memory_bytes(const Graph& network, const Plan& plan) {
    return weights_bytes(network, plan) + arena_bytes(network, plan);
  }

  [[nodiscard]] bool fits(const Graph& structure, const Plan& plan, const Deployment& deployment) const {
    return pricer_.misses(deployment, options_.bounds).empty() && weights_fit(structure, plan);
  }

  bool fits_with(const Graph& structure, int weight_bits, int activation_bits) {
    const Plan plan = plan_for(structure, weight_bits, activation_bits);
    smallest_.weights = std::min(smallest_.weights, weights_bytes(structure, plan));
    if (!weights_fit(structure, plan)) return false;
    if (options_.memory_bytes > 0) {
      const std::int64_t memory = memory_bytes(structure, plan);
      smallest_.memory = std::min(smallest_.memory, memory);
      if (memory > options_.memory_bytes) return false;
    }
    if (fits_by_far(structure, plan)) return true;
    const Deployment deployment = pricer_.measure(pricer_.sketch(structure, plan));
    smallest_.see(deployment);
    return fits(structure, plan, deployment);
  }

  /// Whether the bounds are so wide that there is no need to compile and link: with this much for code, stack and all
  /// else that is not weights or arena.
  [[nodiscard]] bool fits_by_far(const Graph& network, const Plan& plan) {
    constexpr std::int64_t flash_margin = 64 << 10;
    constexpr std::int64_t ram_margin = 16 << 10;
    const Bounds& bounds = options_.bounds;
    if (bounds.instructions > 0 || bounds.latency_ms > 0) return false;
    if (bounds.flash_bytes > 0 && packed(weights_of(network), plan) + flash_margin > bounds.flash_bytes) return false;
    return bounds.ram_bytes <= 0 || arena_bytes(network, plan) + ram_margin <= bounds.ram_bytes;
  }

  /// Whether a plan meets the bounds; `over`: bytes of weights that it has too many.
  [[nodiscard]] bool meets(const Graph& network, const Plan& plan, std::int64_t& over) {
    over = 0;
    if (!weights_fit(network, plan)) return false;
    if (options_.memory_bytes > 0)
      over = std::max<std::int64_t>(memory_bytes(network, plan) - options_.memory_bytes, 0);
    if (over > 0) return false;
    if (fits_by_far(network, plan)) return true;
    const Deployment deployment = pricer_.measure(pricer_.sketch(network, plan));
    if (options_.bounds.flash_bytes > 0) over = deployment.flash_bytes() - options_.bounds.flash_bytes;
    return fits(network, plan, deployment);
  }

  std::vector<Width> feasible_widths() {
    tell("measuring what every width takes at least");
    ImportanceOptions importance;
    importance.measure = data_.importance;
    importance.threads = data_.threads;
    const std::vector<double> worth = unit_importance(*data_.prepared, groups_, data_.train, importance);
    std::vector<Width> result;
    for (const double share : options_.widths) {
      std::vector<std::vector<std::int64_t>> ways{{}};
      if (share < 1) {
        ways = {allocate_widths(*data_.prepared, groups_, worth, share, options_.filter_multiple),
                uniform_widths(groups_, std::sqrt(share), options_.filter_multiple)};
      }
      for (const std::vector<std::int64_t>& kept : ways) {
        Width width{share, kept, *data_.prepared, shrink_trial(kept, options_.recovery, options_.seed)};
        if (!kept.empty()) width.structure = prune(*data_.prepared, groups_, most_important(groups_, worth, kept));
        const bool narrow = fits_with(width.structure, options_.weight_bits.front(), options_.activation_bits.front());
        const bool wide = fits_with(width.structure, options_.weight_bits.back(), options_.activation_bits.back());
        if (!narrow && !wide) continue;
        result.push_back(std::move(width));
        if (wide) return result;  // narrower networks have nothing to gain
        break;
      }
    }
    if (result.empty()) throw nothing_fits();
    return result;
  }

  // Bits

  /// Sensitivities of a recovered network, measured once per study.
  std::vector<LayerSensitivity> sensitivities(const Graph& network, const Width& width, SensitivityMeasure measure) {
    const std::string name = fmt::format("sensitivities {} {}", measure == SensitivityMeasure::kl ? "kl" : "fisher",
                                         width.trial.folder_name());
    nlohmann::json stored = study_.note(name);
    if (stored.is_null()) {
      SensitivityOptions options;
      options.measure = measure;
      options.weight_bits = options_.weight_bits;
      // activations are always measured by kl, and once is enough
      options.activation_bits = measure == SensitivityMeasure::kl ? options_.activation_bits : std::vector<int>{};
      options.samples = options_.sensitivity_samples;
      options.threads = data_.threads;
      stored = nlohmann::json::array();
      for (const LayerSensitivity& layer : measure_sensitivities(network, data_.train, options))
        stored.push_back({layer.layer, layer.weight_count, layer.weights, layer.activations});
      study_.put_note(name, stored);
    }
    std::vector<LayerSensitivity> result;
    for (const nlohmann::json& layer : stored) {
      LayerSensitivity& own = result.emplace_back();
      layer.at(0).get_to(own.layer);
      layer.at(1).get_to(own.weight_count);
      layer.at(2).get_to(own.weights);
      layer.at(3).get_to(own.activations);
    }
    return result;
  }

  /// Layers whose outputs share a grid have the same bits: their names, by set.
  [[nodiscard]] static std::vector<std::vector<std::string>> activation_sets(const Graph& graph) {
    const std::vector<ValueId> set = shared_grids(graph);
    const auto set_of = [&](ValueId value) { return set[static_cast<std::size_t>(value)]; };
    std::map<ValueId, std::vector<std::string>> sets;
    for (const Layer& layer : fuse_layers(graph)) {
      if (set_of(layer.output) != set_of(graph.input) && set_of(layer.output) != set_of(graph.output))
        sets[set_of(layer.output)].push_back(layer.name);
    }
    std::vector<std::vector<std::string>> result;
    for (auto& [value, names] : sets) result.push_back(std::move(names));
    return result;
  }

  /// Gives activations the most bits with which the arena fits: as long as it does not, those are narrowed, to no less
  /// than `least_bits`, that free the most memory for what they lose. Nothing where even the narrowest do not fit.
  /// Where weights share a bound with the arena, further plans follow, each with a smaller arena.
  std::vector<Plan> choose_activations(const Graph& network, Plan plan, int least_bits,
                                       const std::vector<LayerSensitivity>& sensitivities) {
    std::map<std::string, std::map<int, double>> loss;
    for (const LayerSensitivity& layer : sensitivities) loss[layer.layer] = layer.activations;
    const auto loss_of = [&](const std::vector<std::string>& layers, int bits) {
      double sum = 0;
      for (const std::string& layer : layers) {
        const auto found = loss[layer].find(bits);
        if (found != loss[layer].end()) sum += found->second;
      }
      return sum;
    };
    const bool shared = options_.memory_bytes > 0;
    const bool ram_is_wide = options_.bounds.ram_bytes <= 0 || fits_by_far(network, plan);
    if (ram_is_wide && !shared) return {plan};
    const std::vector<std::vector<std::string>> sets = activation_sets(network);
    std::int64_t arena = 0;
    std::int64_t limit = std::numeric_limits<std::int64_t>::max();
    if (ram_is_wide) {
      arena = arena_bytes(network, plan);
    } else {
      const Deployment deployment = pricer_.measure(pricer_.sketch(network, plan));
      arena = deployment.arena_bytes;
      limit = options_.bounds.ram_bytes - (deployment.ram_bytes() - arena);
    }
    const auto narrowed = [&](const std::vector<std::string>& layers) -> std::optional<Plan> {
      const int bits = entry_of(plan, layers[0]).activation_bits;
      const auto next = std::lower_bound(options_.activation_bits.begin(), options_.activation_bits.end(), bits);
      if (next == options_.activation_bits.begin() || *(next - 1) < least_bits) return std::nullopt;
      Plan copy = plan;
      for (const std::string& layer : layers) entry_of(copy, layer).activation_bits = *(next - 1);
      return copy;
    };
    std::vector<Plan> result;
    for (;;) {
      if (arena <= limit) {
        result.push_back(plan);
        if (!shared) return result;
        limit = arena - 1;
      }
      std::optional<Plan> best;
      double best_score = -1;
      std::int64_t best_arena = arena;
      for (const std::vector<std::string>& layers : sets) {
        const std::optional<Plan> candidate = narrowed(layers);
        if (!candidate) continue;
        Plan copy = *candidate;
        const std::int64_t bytes = arena_bytes(network, *candidate);
        const double more = std::max(1e-9, loss_of(layers, entry_of(copy, layers[0]).activation_bits) -
                                               loss_of(layers, entry_of(plan, layers[0]).activation_bits));
        // what frees nothing alone may do so with others: the cheapest of them, where no other helps
        const double score = bytes < arena ? static_cast<double>(arena - bytes) / more : 1e-12 / more;
        if (score > best_score) {
          best_score = score;
          best = candidate;
          best_arena = bytes;
        }
      }
      if (!best) return result;
      plan = *best;
      arena = best_arena;
    }
  }

  /// Of these the one with which the knapsack's weights and the activations lose least together.
  std::optional<Plan> best_activations(const Graph& network, const std::vector<Plan>& starts,
                                       const std::vector<LayerSensitivity>& sensitivities) {
    if (starts.size() < 2) return starts.empty() ? std::nullopt : std::optional(starts.front());
    std::optional<Plan> best;
    double least = std::numeric_limits<double>::infinity();
    for (const Plan& start : starts) {
      std::optional<FoundPlan> found = choose_weights(network, start, sensitivities);
      if (!found) continue;
      double loss = 0;
      for (const LayerSensitivity& layer : sensitivities) {
        const LayerPlan& own = entry_of(found->plan, layer.layer);
        const auto weights = layer.weights.find(own.weight_bits);
        const auto activations = layer.activations.find(own.activation_bits);
        if (weights != layer.weights.end()) loss += weights->second;
        if (activations != layer.activations.end()) loss += activations->second;
      }
      if (loss < least) {
        least = loss;
        best = start;
      }
    }
    return best;
  }

  /// The bits of weights with the least loss within flash, found with a budget that is corrected by what the linked
  /// image takes. Nothing where none is found.
  std::optional<FoundPlan> choose_weights(const Graph& network, const Plan& start,
                                          const std::vector<LayerSensitivity>& sensitivities) {
    const std::vector<Weights> layers = weights_of(network);
    std::vector<std::vector<Choice>> items;
    std::int64_t most = 0;
    for (const Weights& layer : layers) {
      const auto& own = *std::find_if(sensitivities.begin(), sensitivities.end(),
                                      [&](const LayerSensitivity& s) { return s.layer == layer.layer; });
      std::vector<Choice>& choices = items.emplace_back();
      for (const int bits : options_.weight_bits)
        choices.push_back({Pricer::packed_bytes(layer.count, layer.filters, bits), own.weights.at(bits)});
      most += choices.back().cost;
    }
    std::int64_t budget = most;
    if (options_.weights_bytes > 0) budget = std::min(budget, options_.weights_bytes);
    if (options_.memory_bytes > 0) budget = std::min(budget, options_.memory_bytes);
    if (options_.bounds.flash_bytes > 0) budget = std::min(budget, options_.bounds.flash_bytes);
    for (int attempt = 0; attempt < 8; ++attempt) {
      const auto chosen = options_.engine == BitEngine::knapsack ? solve_knapsack(items, budget)
                                                                 : evolve_choices(items, budget, options_.seed);
      if (!chosen) return std::nullopt;
      FoundPlan found;
      found.plan = start;
      for (std::size_t i = 0; i < layers.size(); ++i)
        entry_of(found.plan, layers[i].layer).weight_bits = options_.weight_bits[(*chosen)[i]];
      std::int64_t over = 0;
      if (meets(network, found.plan, over)) return found;
      if (over <= 0) return std::nullopt;  // another bound, which bits do not help
      budget = std::min(budget, packed(layers, found.plan)) - over;
    }
    return std::nullopt;
  }

  [[nodiscard]] static std::int64_t packed(const std::vector<Weights>& layers, Plan plan) {
    std::int64_t bytes = 0;
    for (const Weights& layer : layers)
      bytes += Pricer::packed_bytes(layer.count, layer.filters, entry_of(plan, layer.layer).weight_bits);
    return bytes;
  }

  /// The same bits of all weights, the most that fit.
  std::optional<FoundPlan> choose_uniform(const Graph& network, const Plan& start) {
    for (auto bits = options_.weight_bits.rbegin(); bits != options_.weight_bits.rend(); ++bits) {
      FoundPlan found;
      found.plan = start;
      for (LayerPlan& layer : found.plan.layers) layer.weight_bits = *bits;
      std::int64_t over = 0;
      if (meets(network, found.plan, over)) return found;
    }
    return std::nullopt;
  }

  void add_candidates(const Width& width) {
    const Graph network = network_after(data_, width.trial, study_.folder_of(width.trial));
    tell(fmt::format("choosing bits with {:.0f} % of the weights", 100 * width.share));
    const auto add = [&](std::optional<FoundPlan> found, const std::string& made_by) {
      if (!found) return;
      const bool known = std::any_of(candidates_.begin(), candidates_.end(), [&](const FoundPlan& other) {
        return other.plan == found->plan && other.share == width.share;
      });
      if (known) return;
      found->share = width.share;
      found->last = width.trial;
      found->made_by = made_by;
      candidates_.push_back(*std::move(found));
    };
    const std::vector<LayerSensitivity> by_kl = sensitivities(network, width, SensitivityMeasure::kl);
    const std::vector<Plan> starts = activation_choices(network, by_kl);
    if (starts.empty()) return;
    const std::vector<LayerSensitivity> by_fisher = sensitivities(network, width, SensitivityMeasure::fisher);
    const std::string engine = options_.engine == BitEngine::knapsack ? "knapsack" : "NSGA-II";
    for (const Plan& start : starts) {
      add(choose_weights(network, start, by_kl), engine + " of kl");
      add(choose_uniform(network, start), "uniform");
      add(choose_weights(network, start, by_fisher), engine + " of fisher");
    }
  }

  /// Plans whose activations are chosen: one, or, where weights and arena share a bound, the best for every least
  /// number of bits. What narrow weights lose training gives back better than what narrow activations do, which the
  /// divergence before training does not tell: the trials decide between them.
  std::vector<Plan> activation_choices(const Graph& network, const std::vector<LayerSensitivity>& by_kl) {
    std::vector<Plan> result;
    for (const int least_bits : options_.activation_bits) {
      // weights of 8 bits need less working memory: tried where the narrowest leave no room
      std::optional<Plan> best;
      for (const int bits : {options_.weight_bits.front(), options_.weight_bits.back()}) {
        if (best) continue;
        const Plan widest = plan_for(network, bits, options_.activation_bits.back());
        best = best_activations(network, choose_activations(network, widest, least_bits, by_kl), by_kl);
      }
      if (best && std::find(result.begin(), result.end(), *best) == result.end()) result.push_back(*std::move(best));
      if (options_.memory_bytes <= 0) break;
    }
    return result;
  }

  // Rounds

  void train_round(std::size_t survivors, const TrialEffort& effort, const std::string& stage) {
    std::vector<TrialSpec> specs;
    for (const FoundPlan& candidate : candidates_)
      specs.push_back(quantize_trial(candidate.last, candidate.plan, effort, options_.seed));
    const std::vector<Trial> trials = run_round(specs, stage);
    std::vector<FoundPlan> left;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (trials[i].state != TrialState::done) continue;
      left.push_back(std::move(candidates_[i]));
      left.back().last = specs[i];
      left.back().top1 = trials[i].metrics.at("top1");
      tell(fmt::format("{}: {:.2f} % on the validation samples ({:.0f} % of the weights, {})", stage, left.back().top1,
                       100 * left.back().share, left.back().made_by));
    }
    std::stable_sort(left.begin(), left.end(), [](const FoundPlan& a, const FoundPlan& b) { return a.top1 > b.top1; });
    left.resize(std::min(left.size(), survivors));
    candidates_ = std::move(left);
  }

  void halve() {
    const auto finalists = static_cast<std::size_t>(std::max<std::int64_t>(options_.finalists, 1));
    TrialEffort effort = options_.first_round;
    for (int round = 1; candidates_.size() > finalists; ++round) {
      train_round(std::max(finalists, (candidates_.size() + 1) / 2), effort, fmt::format("short training {}", round));
      if (round > 1) effort.epochs *= 2;
    }
  }

  void last_round() { train_round(candidates_.size(), options_.last_round, "training of the best"); }

  const FitTrialData& data_;
  const Pricer& pricer_;
  PlanSearchOptions options_;
  Study& study_;
  TrialRunner& runner_;
  ChannelGroups groups_;
  Smallest smallest_;
  std::map<std::string, std::int64_t> arenas_;  ///< by plan, see arena_bytes
  std::vector<FoundPlan> candidates_;
  PlanSearchResult result_;
};

}  // namespace

PlanSearchResult search_plan(const FitTrialData& data, const Pricer& pricer, const PlanSearchOptions& options,
                             Study& study, TrialRunner& runner) {
  return PlanSearch(data, pricer, options, study, runner).run();
}

}  // namespace trimtab
