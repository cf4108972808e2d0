#include "scale/precision_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/index.h"
#include "plan/layers.h"
#include "study/evolve.h"

namespace trimtab {
namespace {

constexpr unsigned polish_population = 32;
constexpr std::int64_t least_polish = 2 * polish_population;  ///< the first population and one generation

/// A knob turns the precision of the weights of a layer, or of the outputs of a group of layers.
struct Knob {
  bool weights = true;
  std::vector<std::size_t> layers;
};

std::vector<Knob> find_knobs(const NestedNetwork& network) {
  const std::vector<Layer> layers = fuse_layers(network.graph);
  const std::vector<int> groups = activation_groups(network.graph, layers);
  std::vector<Knob> knobs;
  std::vector<Knob> of_groups;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    if (nth(network.weights, layers[l].node)) knobs.push_back({true, {l}});
    if (groups[l] < 0) continue;
    const auto group = static_cast<std::size_t>(groups[l]);
    if (of_groups.size() <= group) of_groups.resize(group + 1, {false, {}});
    of_groups[group].layers.push_back(l);
  }
  knobs.insert(knobs.end(), of_groups.begin(), of_groups.end());
  return knobs;
}

class Search {
 public:
  Search(const NestedNetwork& network, NestedSimulation& simulation, const LevelMeter& meter,
         const NetworkEnergy& energy, const ScaleSearchOptions& options)
      : simulation_(simulation),
        meter_(meter),
        energy_(energy),
        options_(options),
        knobs_(find_knobs(network)),
        full_(fuse_layers(network.graph).size()) {
    check(options);
  }

  std::vector<std::vector<ScaleStep>> run() {
    measure_alone();
    std::vector<std::vector<ScaleStep>> ways;
    for (std::size_t level = 0; level < meter_.levels(); ++level) {
      ways.push_back(descend(level));
      if (options_.polish > 0) polish(level, ways.back());
    }
    return ways;
  }

 private:
  [[nodiscard]] const std::vector<int>& choices_of(const Knob& knob) const {
    return knob.weights ? options_.weight_bits : options_.activation_bits;
  }
  [[nodiscard]] static int& bits_of(const Knob& knob, std::size_t layer, std::vector<Precision>& precision) {
    return knob.weights ? precision[layer].weights : precision[layer].activations;
  }

  /// A knob one step further down, or nothing where it is at its end or nothing would be saved.
  [[nodiscard]] bool turn(const Knob& knob, std::vector<Precision>& precision) const {
    const std::vector<int>& choices = choices_of(knob);
    const auto next = std::upper_bound(choices.begin(), choices.end(), bits_of(knob, knob.layers.front(), precision),
                                       std::greater<>());
    if (next == choices.end()) return false;
    for (const std::size_t layer : knob.layers) bits_of(knob, layer, precision) = *next;
    return true;
  }

  [[nodiscard]] std::vector<double> divergences(const std::vector<float>& outputs) const {
    return meter_.divergences(outputs_at_all_bits_, outputs);
  }

  void tell(const std::string& what) const {
    if (options_.progress) options_.progress(measurements_, what);
  }

  /// Every knob turned once, the others at all bits: for all levels at the same time.
  void measure_alone() {
    outputs_at_all_bits_ = simulation_.keep(full_);
    for (const Knob& knob : knobs_) {
      std::vector<Precision> turned = full_;
      alone_.push_back(turn(knob, turned) ? divergences(simulation_.outputs(turned))
                                          : std::vector<double>(meter_.levels(), 0));
      ++measurements_;
      tell("every layer alone");
    }
  }

  [[nodiscard]] double energy_of(const std::vector<Precision>& precision) const {
    return energy_.at(precision).total();
  }

  std::vector<ScaleStep> descend(std::size_t level) {
    std::vector<Precision> now = full_;
    double energy_now = energy_of(now);
    double divergence_now = 0;
    const double full_energy = energy_now;
    (void)simulation_.keep(now);
    const double most_lost = options_.most_lost.value_or(usual_most_lost(meter_.measure()));
    const double lost_at_all_bits = meter_.lost_at(level, outputs_at_all_bits_);
    std::vector<ScaleStep> way{{now, energy_now, 0}};
    // A score is divergence per nanojoule saved: the last that was measured for the knob.
    constexpr double never = std::numeric_limits<double>::infinity();
    std::vector<double> scores;
    for (std::size_t k = 0; k < knobs_.size(); ++k) {
      std::vector<Precision> turned = now;
      const double saved = turn(knobs_[k], turned) ? energy_now - energy_of(turned) : 0;
      scores.push_back(saved > 0 ? alone_[k][level] / saved : never);
    }
    std::vector<bool> fresh(knobs_.size(), false);
    std::vector<std::vector<float>> measured(knobs_.size());
    for (;;) {
      const auto best = static_cast<std::size_t>(std::min_element(scores.begin(), scores.end()) - scores.begin());
      if (scores[best] == never) break;
      std::vector<Precision> turned = now;
      (void)turn(knobs_[best], turned);
      const double energy_then = energy_of(turned);
      if (!fresh[best]) {
        measured[best] = simulation_.outputs(turned);
        ++measurements_;
        tell(fmt::format("level {}, energy at {:.0f} %", meter_.name(level), 100 * energy_now / full_energy));
        scores[best] = (divergences(measured[best])[level] - divergence_now) / (energy_now - energy_then);
        fresh[best] = true;
        continue;  // it is taken if it is still the best
      }
      now = turned;
      energy_now = energy_then;
      (void)simulation_.keep(now);
      divergence_now = divergences(measured[best])[level];
      way.push_back({now, energy_now, divergence_now});
      if (meter_.lost_at(level, measured[best]) > lost_at_all_bits + most_lost) break;
      std::fill(fresh.begin(), fresh.end(), false);
      // The next step of the same knob: a first guess from the step that was taken.
      std::vector<Precision> further = now;
      const double saved = turn(knobs_[best], further) ? energy_now - energy_of(further) : 0;
      scores[best] = saved > 0 ? std::max(scores[best], 0.0) * 2 : never;
    }
    return way;
  }

  /// Adds to the way of a level what NSGA-II measures, and sorts it by falling energy.
  void polish(std::size_t level, std::vector<ScaleStep>& way) {
    std::map<std::vector<std::size_t>, ScaleStep> known;
    std::vector<std::vector<std::size_t>> start;
    for (std::size_t i = 0; i < way.size(); ++i) {
      std::vector<std::size_t> chosen = choices_at(way[i].precision);
      known.emplace(chosen, way[i]);
      // evenly over the way, where it has more steps than there is room for
      if (i * polish_population / way.size() >= start.size()) start.push_back(std::move(chosen));
    }
    const double most = way.back().divergence;
    (void)simulation_.keep(full_);
    std::vector<std::size_t> sizes;
    for (const Knob& knob : knobs_) sizes.push_back(choices_of(knob).size());
    const auto objectives = [&](const std::vector<std::size_t>& chosen) {
      auto at = known.find(chosen);
      if (at == known.end()) {
        ScaleStep step{precision_of(chosen), 0, 0};
        step.energy_nj = energy_of(step.precision);
        step.divergence = divergences(simulation_.outputs(step.precision))[level];
        ++measurements_;
        tell(fmt::format("level {}, polishing", meter_.name(level)));
        at = known.emplace(chosen, std::move(step)).first;
      }
      const ScaleStep& step = at->second;
      // Beyond the end of the way nobody wants to go: as if nothing was saved. The root spreads the population as the
      // points are chosen later, most where little is lost.
      return Objectives{step.divergence > most ? way.front().energy_nj : step.energy_nj,
                        std::sqrt(std::sqrt(std::max(step.divergence, 0.0)))};
    };
    // random members of the first population are measured, too
    const auto generations = static_cast<unsigned>(options_.polish / polish_population - 1);
    (void)evolve(sizes, start, objectives, options_.seed, {polish_population, generations});
    way.clear();
    for (auto& [chosen, step] : known) {
      if (step.divergence <= most) way.push_back(std::move(step));
    }
    std::sort(way.begin(), way.end(), [](const ScaleStep& a, const ScaleStep& b) {
      return a.energy_nj != b.energy_nj ? a.energy_nj > b.energy_nj : a.divergence > b.divergence;
    });
  }

  /// By knob, the index of its bits.
  [[nodiscard]] std::vector<std::size_t> choices_at(std::vector<Precision> precision) const {
    std::vector<std::size_t> result;
    for (const Knob& knob : knobs_) {
      const std::vector<int>& choices = choices_of(knob);
      const auto at = std::find(choices.begin(), choices.end(), bits_of(knob, knob.layers.front(), precision));
      result.push_back(static_cast<std::size_t>(at - choices.begin()));
    }
    return result;
  }
  [[nodiscard]] std::vector<Precision> precision_of(const std::vector<std::size_t>& chosen) const {
    std::vector<Precision> result = full_;
    for (std::size_t k = 0; k < knobs_.size(); ++k) {
      for (const std::size_t layer : knobs_[k].layers)
        bits_of(knobs_[k], layer, result) = choices_of(knobs_[k])[chosen[k]];
    }
    return result;
  }

  NestedSimulation& simulation_;
  const LevelMeter& meter_;
  const NetworkEnergy& energy_;
  const ScaleSearchOptions& options_;
  std::vector<Knob> knobs_;
  std::vector<Precision> full_;
  std::vector<float> outputs_at_all_bits_;
  std::vector<std::vector<double>> alone_;  ///< by knob and level
  std::int64_t measurements_ = 0;
};

}  // namespace

void check(const ScaleSearchOptions& options) {
  for (const auto* bits : {&options.weight_bits, &options.activation_bits}) {
    if (bits->empty() || bits->front() != 8 || !std::is_sorted(bits->rbegin(), bits->rend())) {
      throw bad_input("the bits to search have to begin with 8 and go down");
    }
  }
  if (options.polish > 0 && options.polish < least_polish) {
    throw bad_input("polishing takes at least {} measurements for every level", least_polish);
  }
}

std::vector<std::vector<ScaleStep>> search_scale(const NestedNetwork& network, NestedSimulation& simulation,
                                                 const LevelMeter& meter, const NetworkEnergy& energy,
                                                 const ScaleSearchOptions& options) {
  return Search(network, simulation, meter, energy, options).run();
}

}  // namespace trimtab
