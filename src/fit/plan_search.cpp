#include "fit/plan_search.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/error.h"
#include "cost/plan_layers.h"
#include "learn/shrink.h"
#include "plan/layers.h"
#include "plan/prune.h"

namespace trimtab {
namespace {

/// A network of one width, before its bits are chosen.
struct Width {
  double share = 1;
  std::vector<std::int64_t> kept;  ///< by group; empty: all
  Graph structure;                 ///< of these widths, its weights of no use
  TrialSpec trial;                 ///< that prunes it and lets it recover
};

class PlanSearch {
 public:
  PlanSearch(const FitTrialData& data, const Pricer& pricer, const PlanSearchOptions& options, Study& study,
             TrialRunner& runner)
      : data_(data),
        measure_(measures_of(data.task).at(0)),
        options_(options),
        bounds_(pricer, options.bounds),
        study_(study),
        runner_(runner) {
    options_.bits.seed = options_.seed;
    std::sort(options_.bits.weight_bits.begin(), options_.bits.weight_bits.end());
    std::sort(options_.bits.activation_bits.begin(), options_.bits.activation_bits.end());
    std::sort(options_.widths.begin(), options_.widths.end(), std::greater<>());
    groups_ = find_channel_groups(*data.prepared);
  }

  PlanSearchResult run() {
    const std::vector<Width> widths = feasible_widths();
    tell(fmt::format("{} of {} widths can meet the bounds", widths.size(), options_.widths.size()));
    std::vector<TrialSpec> specs;
    specs.reserve(widths.size());
    for (const Width& width : widths) specs.push_back(width.trial);
    const std::vector<Trial> pruned = run_round(specs, "pruning and recovery");
    for (std::size_t w = 0; w < widths.size(); ++w) {
      if (pruned[w].state == TrialState::done) add_candidates(widths[w]);
    }
    if (candidates_.empty()) throw bounds_.nothing_fits();
    halve();
    last_round();
    result_.finalists = std::move(candidates_);
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (options_.report) options_.report(line);
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
      if (filters < before.at(layer.name)) find_layer(plan, layer.name)->filters = filters;
    }
    return plan;
  }

  std::vector<Width> feasible_widths() {
    tell("measuring what every width takes at least");
    ImportanceOptions importance;
    importance.measure = data_.importance;
    importance.threads = data_.threads;
    importance.task = data_.task;
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
        const auto fits_with = [&](int weight_bits, int activation_bits) {
          return bounds_.check(width.structure, plan_for(width.structure, weight_bits, activation_bits)).met;
        };
        const BitChoiceOptions& bits = options_.bits;
        const bool wide = fits_with(bits.weight_bits.back(), bits.activation_bits.back());
        // the widest activations before the narrowest: the choice of bits starts from them, and looks no image up twice
        const bool fits = wide || fits_with(bits.weight_bits.front(), bits.activation_bits.back()) ||
                          fits_with(bits.weight_bits.front(), bits.activation_bits.front());
        if (!fits) continue;
        result.push_back(std::move(width));
        if (wide) return result;  // narrower networks have nothing to gain
        break;
      }
    }
    if (result.empty()) throw bounds_.nothing_fits();
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
      options.weight_bits = options_.bits.weight_bits;
      // activations are always measured by kl, and once is enough
      options.activation_bits = measure == SensitivityMeasure::kl ? options_.bits.activation_bits : std::vector<int>{};
      options.samples = options_.sensitivity_samples;
      options.threads = data_.threads;
      options.task = data_.task;
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

  void add_candidates(const Width& width) {
    const Graph network = network_after(data_, width.trial, study_.folder_of(width.trial));
    tell(fmt::format("choosing bits with {:.0f} % of the weights", 100 * width.share));
    const std::vector<LayerSensitivity> by_kl = sensitivities(network, width, SensitivityMeasure::kl);
    const std::vector<LayerSensitivity> by_fisher = sensitivities(network, width, SensitivityMeasure::fisher);
    for (ChosenBits& chosen : choose_bits(network, plan_for(network, 8, 8), by_kl, by_fisher, bounds_, options_.bits)) {
      const std::int64_t bytes = packed_bytes(weight_layers(network), chosen.plan);
      candidates_.push_back({std::move(chosen.plan), width.share, width.trial, 0, std::move(chosen.made_by), bytes});
    }
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
      left.back().score = trials[i].metrics.at(info_of(measure_).key);
      result_.tried.push_back(
          {stage, left.back().made_by, left.back().share, left.back().weights_bytes, effort.epochs, left.back().score});
      tell(fmt::format("{}: {} {} on the validation samples ({:.0f} % of the weights, {})", stage,
                       info_of(measure_).name, format_value(measure_, left.back().score), 100 * left.back().share,
                       left.back().made_by));
    }
    std::stable_sort(left.begin(), left.end(),
                     [&](const FoundPlan& a, const FoundPlan& b) { return is_better(measure_, a.score, b.score); });
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
  Measure measure_;
  PlanSearchOptions options_;
  BoundsCheck bounds_;
  Study& study_;
  TrialRunner& runner_;
  ChannelGroups groups_;
  std::vector<FoundPlan> candidates_;
  PlanSearchResult result_;
};

}  // namespace

PlanSearchResult search_plan(const FitTrialData& data, const Pricer& pricer, const PlanSearchOptions& options,
                             Study& study, TrialRunner& runner) {
  return PlanSearch(data, pricer, options, study, runner).run();
}

}  // namespace trimtab
