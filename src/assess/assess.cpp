#include "assess/assess.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/units.h"

namespace trimtab {
namespace {

using nlohmann::json;

/// A network of the map, whatever it is trained with.
struct Candidate {
  int bits = 0;
  KeptFilters filters;
  CountedNumbers numbers;
  auto operator<=>(const Candidate& other) const {
    return std::tie(bits, filters) <=> std::tie(other.bits, other.filters);
  }
  bool operator==(const Candidate& other) const { return bits == other.bits && filters == other.filters; }
};

class Assessment {
 public:
  Assessment(const Graph& prepared, const std::vector<double>& importance, Measure measure,
             const AssessOptions& options, Study& study, TrialRunner& runner,
             const std::function<void(const std::string&)>& report)
      : prepared_(prepared),
        measure_(measure),
        groups_(find_channel_groups(prepared)),
        importance_(importance),
        options_(options),
        study_(study),
        runner_(runner),
        report_(report) {}

  AssessResult run() {
    result_.numbers = count_numbers(prepared_);
    for (const std::int64_t budget : options_.budgets_bytes) alive_.push_back(candidates_of(budget));
    study_.put_note("planned_trials", planned());
    for (std::size_t round = 0; round < options_.rounds.size(); ++round) {
      if (round > 0) halve(options_.rounds[round].keep);
      run_round(round, options_.seed);
    }
    std::sort(result_.map.begin(), result_.map.end(),
              [](const AssessPoint& a, const AssessPoint& b) { return a.memory_bytes < b.memory_bytes; });
    repeat_best();
    for (const std::int64_t budget : options_.budgets_bytes) result_.budgets.push_back(best_of(budget));
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool is_restricted(int bits) const {
    return std::find(options_.restricted_bits.begin(), options_.restricted_bits.end(), bits) !=
           options_.restricted_bits.end();
  }

  [[nodiscard]] std::vector<Candidate> candidates_of(std::int64_t budget) const {
    std::set<Candidate> found;
    std::optional<Error> refused;
    for (const int bits : options_.bits) {
      for (const PruningRule rule : options_.rules) {
        try {
          KeptFilters filters = choose_filters(prepared_, groups_, importance_, rule, 8 * budget / bits);
          const CountedNumbers numbers = count_numbers(prune_to(prepared_, groups_, importance_, filters));
          found.insert({bits, std::move(filters), numbers});
        } catch (const Error& error) {
          if (error.code() != ExitCode::bound_not_met) throw;
          if (!refused) refused = error;
        }
      }
    }
    if (found.empty())
      throw bound_not_met("no network of {} bits and more fits into {}: {}", options_.bits.front(),
                          format_bytes(budget), refused ? refused->what() : "no bits were given");
    return {found.begin(), found.end()};
  }

  [[nodiscard]] std::int64_t planned() const {
    std::set<Candidate> all;
    std::size_t later = 0;
    for (const std::vector<Candidate>& candidates : alive_) {
      all.insert(candidates.begin(), candidates.end());
      for (const AssessRound& round : options_.rounds)
        later += std::min(candidates.size(), static_cast<std::size_t>(round.keep));
    }
    return static_cast<std::int64_t>(all.size() + later);
  }

  [[nodiscard]] TrialSpec spec_of(const Candidate& candidate, const AssessRound& round, std::uint64_t seed) const {
    return {{{"bits", candidate.bits},
             {"filters", candidate.filters},
             // an unpruned network needs no recovery, and is the same trial whatever the others get
             {"recovery_samples", candidate.filters.empty() ? 0 : round.recovery_samples},
             {"training_samples", round.training_samples},
             {"recovery_learning_rate", options_.recovery_learning_rate},
             {"learning_rate", options_.learning_rate},
             {"distill", options_.distill}},
            seed};
  }

  void run_round(std::size_t index, std::uint64_t seed) {
    const AssessRound& round = options_.rounds[index];
    std::set<Candidate> unique;
    for (const std::vector<Candidate>& candidates : alive_) unique.insert(candidates.begin(), candidates.end());
    // the largest first: their trials take longest, and none is left alone at the end
    std::vector<Candidate> all(unique.begin(), unique.end());
    std::stable_sort(all.begin(), all.end(),
                     [](const Candidate& a, const Candidate& b) { return a.numbers.total() > b.numbers.total(); });
    if (report_)
      report_(fmt::format("round {} of {}: {} networks, {} samples of recovery and {} at their bits each", index + 1,
                          options_.rounds.size(), all.size(), round.recovery_samples, round.training_samples));
    std::vector<TrialSpec> specs;
    for (const Candidate& candidate : all) specs.push_back(spec_of(candidate, round, seed));
    const std::vector<Trial> trials = run_trials(study_, specs, runner_, {.stage = fmt::format("round {}", index + 1)});
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (trials[i].state != TrialState::done) {
        ++result_.failed;
        reason_ = trials[i].reason;
        continue;
      }
      record(all[i], trials[i], index);
    }
  }

  void record(const Candidate& candidate, const Trial& trial, std::size_t round) {
    const AssessPoint point{candidate.bits,
                            candidate.filters,
                            candidate.numbers,
                            candidate.numbers.bytes(candidate.bits),
                            trial.metrics.at(info_of(measure_).key),
                            {trial.metrics.at(info_of(measure_).key)},
                            round,
                            trial.id,
                            trial.folder};
    const auto known = std::find_if(result_.map.begin(), result_.map.end(), [&](const AssessPoint& other) {
      return other.bits == point.bits && other.filters == point.filters;
    });
    if (known == result_.map.end()) {
      result_.map.push_back(point);
    } else if (point.round > known->round) {  // a longer training says more, be it worse
      *known = point;
    }
  }

  [[nodiscard]] const AssessPoint* point_of(const Candidate& candidate) const {
    const auto found = std::find_if(result_.map.begin(), result_.map.end(), [&](const AssessPoint& point) {
      return point.bits == candidate.bits && point.filters == candidate.filters;
    });
    return found == result_.map.end() ? nullptr : &*found;
  }

  /// Leaves the best `keep` of every budget, and the best half of as many restricted ones.
  void halve(std::int64_t keep) {
    for (std::vector<Candidate>& candidates : alive_) {
      std::erase_if(candidates, [&](const Candidate& candidate) { return point_of(candidate) == nullptr; });
      std::stable_sort(candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) {
        return is_better(measure_, point_of(a)->score, point_of(b)->score);
      });
      if (keep <= 0) continue;
      std::vector<Candidate> kept;
      std::int64_t restricted = 0;
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        const bool among_best = static_cast<std::int64_t>(i) < keep;
        const bool wanted = is_restricted(candidates[i].bits) && restricted < std::max<std::int64_t>(1, keep / 2);
        restricted += is_restricted(candidates[i].bits) ? 1 : 0;
        if (among_best || wanted) kept.push_back(candidates[i]);
      }
      candidates = std::move(kept);
    }
  }

  /// The point with the best score that fits, among those that `allowed` lets pass.
  template <typename Allowed>
  [[nodiscard]] AssessPoint* best(std::int64_t budget, Allowed allowed) {
    AssessPoint* chosen = nullptr;
    for (AssessPoint& point : result_.map) {
      if (point.memory_bytes > budget || !allowed(point)) continue;
      if (chosen == nullptr || is_better(measure_, point.score, chosen->score)) chosen = &point;
    }
    return chosen;
  }

  /// Measures the optima with more seeds.
  void repeat_best() {
    std::set<AssessPoint*> wanted;
    for (const std::int64_t budget : options_.budgets_bytes) {
      wanted.insert(best(budget, [](const AssessPoint&) { return true; }));
      wanted.insert(best(budget, [&](const AssessPoint& point) { return is_restricted(point.bits); }));
    }
    wanted.erase(nullptr);
    std::vector<TrialSpec> specs;
    std::vector<AssessPoint*> points;
    for (AssessPoint* point : wanted) {
      for (std::int64_t repeat = 1; repeat < options_.repeats; ++repeat) {
        specs.push_back(spec_of({point->bits, point->filters, point->numbers}, options_.rounds[point->round],
                                options_.seed + static_cast<std::uint64_t>(repeat)));
        points.push_back(point);
      }
    }
    if (specs.empty()) return;
    if (report_) report_(fmt::format("{} more trials for the spread over seeds", specs.size()));
    const std::vector<Trial> trials = run_trials(study_, specs, runner_, {.stage = "more seeds"});
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (trials[i].state == TrialState::done)
        points[i]->repeated.push_back(trials[i].metrics.at(info_of(measure_).key));
    }
  }

  [[nodiscard]] AssessBudget best_of(std::int64_t budget_bytes) {
    AssessBudget budget;
    budget.budget_bytes = budget_bytes;
    const AssessPoint* optimum = best(budget_bytes, [](const AssessPoint&) { return true; });
    if (optimum == nullptr)
      throw failure("no trial for the budget {} succeeded: {}", format_bytes(budget_bytes), reason_);
    budget.optimum = *optimum;
    const AssessPoint* restricted =
        best(budget_bytes, [&](const AssessPoint& point) { return is_restricted(point.bits); });
    if (restricted != nullptr) budget.restricted = *restricted;
    for (const int bits : options_.bits) {
      const AssessPoint* point = best(budget_bytes, [&](const AssessPoint& other) { return other.bits == bits; });
      if (point != nullptr) budget.by_bits.push_back(*point);
    }
    return budget;
  }

  const Graph& prepared_;
  Measure measure_;
  ChannelGroups groups_;
  const std::vector<double>& importance_;
  const AssessOptions& options_;
  Study& study_;
  TrialRunner& runner_;
  const std::function<void(const std::string&)>& report_;
  std::vector<std::vector<Candidate>> alive_;  ///< by budget
  AssessResult result_;
  std::string reason_;  ///< of the last trial that failed
};

}  // namespace

AssessResult assess(const Graph& prepared, const std::vector<double>& importance, const Task& task, double score_float,
                    const AssessOptions& options, Study& study, TrialRunner& runner,
                    const std::function<void(const std::string&)>& report) {
  if (options.budgets_bytes.empty() || options.bits.empty() || options.rules.empty() || options.rounds.empty())
    throw bad_input("an assessment needs budgets, bits, pruning rules and rounds");
  for (const int bits : options.bits) {
    if (bits < 2 || bits > 16) throw bad_input("{} bits cannot be assessed; 2 to 16 can", bits);
  }
  const std::vector<Measure> measures = measures_of(task);
  if (measures.empty()) throw bad_input("an assessment needs labels, and {} has none here", name_of(task.kind));
  AssessResult result = Assessment(prepared, importance, measures[0], options, study, runner, report).run();
  result.task = task;
  result.score_float = score_float;
  return result;
}

}  // namespace trimtab
