#include "program/strip_schedule.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "base/index.h"
#include "base/random.h"
#include "program/arena.h"
#include "program/row_kernels.h"
#include "program/strip_cost.h"
#include "program/strips.h"

namespace trimtab {
namespace {

/// The heights that are tried for a step of so many rows.
std::vector<std::int32_t> heights_of(std::int32_t rows) {
  std::vector<std::int32_t> heights;
  for (std::int32_t height = 1; height < rows; height *= 2) heights.push_back(height);
  heights.push_back(rows);
  return heights;
}

/// A way to make the rows of a step.
struct Candidate {
  std::int32_t rows = 1;  ///< at a time
  Kernel kernel;
  std::int64_t scratch_bytes = 0;
  bool is_direct = true;  ///< by the kernel that choose_kernel() gives
  double cost = 0;
  bool is_dense = false;  ///< all rows at once, which lie without gaps: blocks of pixels may cross them
};

class StripSearch {
 public:
  /// By step, the index of a candidate.
  using Chosen = std::vector<std::size_t>;

  StripSearch(const Program& program, Core core, Optimize optimize, bool one_kernel_each, InputForm input)
      : program_(program), core_(core), optimize_(optimize), planner_(program, input) {
    for (std::size_t s = 0; s < program.steps.size(); ++s) {
      const Step& step = program.steps[s];
      const std::int32_t height = planner_.rows_of(s);
      std::vector<Candidate>& candidates = candidates_.emplace_back();
      for (const std::int32_t rows : heights_of(height)) {
        Kernel kernel = choose_kernel(step, core, optimize, 0, rows);
        if (kernel.whole_maps && rows < height) continue;
        const double cost = strip_cost(step, kernel, core, rows);
        candidates.push_back({rows, kernel, kernel.scratch_bytes, true, cost});
      }
      whole_.push_back(candidates.size() - 1);
      dense_.push_back(candidates.size() - 1);
      if (Kernel kernel = choose_kernel(step, core, optimize); height > 1 && !kernel.whole_maps) {
        const double cost = whole_map_cost(step, kernel, core);
        if (cost < candidates.back().cost) {
          dense_.back() = candidates.size();
          candidates.push_back({height, kernel, kernel.scratch_bytes, true, cost, true});
        }
      }
      if (optimize == Optimize::size || one_kernel_each) continue;
      for (const RowKernel& other : row_kernels(step, core)) {
        for (const std::int32_t rows : heights_of(height)) {
          if (rows < height && rows % other.tile_rows != 0) continue;
          candidates.push_back(
              {rows, other.kernel, other.scratch_bytes(rows), false, strip_cost(step, other.kernel, core, rows)});
        }
      }
    }
    for (std::size_t s = 0; s < candidates_.size(); ++s) {
      options_ += std::ssize(candidates_[s]);
      rows_ += planner_.rows_of(s);
      groups_.push_back(groups_of(s));
    }
  }

  /// Whether comparing all options of all steps once would take long.
  [[nodiscard]] bool is_too_large() const { return options_ * rows_ > most_rows_priced / 3; }

  [[nodiscard]] std::int64_t rows_priced() const { return most_rows_priced - rows_left_; }

  /// What a choice takes.
  struct Price {
    double instructions = 0;  ///< by estimate
    std::int64_t bytes = 0;   ///< the most that is alive at one time
    std::int64_t beyond = 0;  ///< bytes beyond a limit, summed over all times
  };

  /// A choice in which strips of one step may differ.
  struct Mix {
    Chosen chosen;
    std::vector<std::vector<std::size_t>> groups;  ///< by step: of each group of rows; empty: as chosen

    explicit Mix(Chosen all) : chosen(std::move(all)), groups(chosen.size()) {}
    bool operator==(const Mix&) const = default;
  };

  /// Whether strips of some step may be made in different ways.
  [[nodiscard]] bool can_mix() const {
    return std::ranges::any_of(groups_, [](const Groups& groups) { return groups.count > 1; });
  }

  [[nodiscard]] double instructions(const Mix& mix) const {
    double sum = 0;
    for (std::size_t s = 0; s < mix.chosen.size(); ++s) {
      if (mix.groups[s].empty()) sum += candidates_[s][mix.chosen[s]].cost;
      for (std::size_t g = 0; g < mix.groups[s].size(); ++g) sum += nth(groups_[s].costs, mix.groups[s][g])[g];
    }
    return sum;
  }

  [[nodiscard]] Price price(const Chosen& chosen, std::int64_t limit_bytes = 0) const {
    return price(Mix(chosen), limit_bytes);
  }
  [[nodiscard]] Price price(const Mix& mix, std::int64_t limit_bytes = 0) const {
    rows_left_ -= rows_;
    Price price;
    price.instructions = instructions(mix);
    find_choices(mix);
    planner_.find_memory(choices_, memory_);
    price.bytes = memory_.most_alive();
    for (const std::int64_t alive : memory_.alive_bytes) price.beyond += std::max<std::int64_t>(alive - limit_bytes, 0);
    return price;
  }

  /// The smallest that is found: strips of one height before some step and whole maps from there on, then better
  /// choices step by step.
  [[nodiscard]] Chosen smallest() const {
    const auto score = [](const Price& price) { return std::pair(price.bytes, price.instructions); };
    Chosen best = whole_;
    auto best_score = score(price(best));
    const Share share(*this);
    for (const std::int32_t height : {1, 2, 4}) {
      for (std::size_t cut = 1; cut <= program_.steps.size() && share.is_left(); ++cut) {
        for (const Chosen& rest : {whole_, dense_}) {
          Chosen start = rest;
          for (std::size_t s = 0; s < cut; ++s) start[s] = nearest(s, height);
          const auto one = score(price(start));
          if (one < best_score) std::tie(best, best_score) = std::pair(std::move(start), one);
        }
      }
    }
    return descend(best, score, 0);
  }

  /// The one with the fewest instructions that is found within so many bytes: from the smallest, from the fastest of
  /// all, which gives up what saves the most for its instructions until it is within the limit, and from runs of layers
  /// that share an algorithm.
  [[nodiscard]] Chosen fastest(const Chosen& smallest, std::int64_t limit_bytes) const {
    const auto score = [](const Price& price) { return std::tuple(price.beyond, price.instructions, price.bytes); };
    Chosen best = smallest;
    auto best_score = score(price(best, limit_bytes));
    const auto compare = [&](Chosen other) {
      const auto one = score(price(other, limit_bytes));
      if (one < best_score) std::tie(best, best_score) = std::pair(std::move(other), one);
    };
    compare(descend(smallest, score, limit_bytes));
    compare(descend(shrink(limit_bytes), score, limit_bytes));
    const Chosen grown = best;
    for_runs(compare);
    return best == grown ? best : descend(best, score, limit_bytes);
  }

  /// The smallest one with at most so many instructions that is found from a fast one and from the smallest of all.
  [[nodiscard]] Chosen smallest_within(const Chosen& fast, const Chosen& smallest, double limit_instructions) const {
    const auto score = [=](const Price& price) {
      return std::tuple(std::max(price.instructions - limit_instructions, 0.0), price.bytes, price.instructions);
    };
    Chosen from_fast = descend(fast, score, 0);
    Chosen from_smallest = descend(smallest, score, 0);
    return score(price(from_smallest)) < score(price(from_fast)) ? from_smallest : from_fast;
  }

  /// The mix with the fewest instructions that is found within so many bytes: from a choice and from the smallest one,
  /// by random changes of some groups of rows or steps at a time. Now and then a change that costs instructions is
  /// taken, too. The mix is within the limit if the choice is.
  [[nodiscard]] Mix fastest_mix(const Chosen& start, const Chosen& smallest, std::int64_t limit_bytes) const {
    constexpr int attempts = 3;
    constexpr int changes = 6000;
    constexpr int changes_per_leap = 50;
    const auto score = [&](const Price& price) { return std::tuple(price.beyond, price.instructions, price.bytes); };
    Mix best(start);
    auto best_score = score(price(best, limit_bytes));
    std::vector<std::pair<std::size_t, std::size_t>> places;  // steps and groups
    for (std::size_t s = 0; s < groups_.size(); ++s) {
      for (std::size_t g = 0; g < std::max<std::size_t>(groups_[s].count, 1); ++g) places.emplace_back(s, g);
    }
    Random random(1);
    const auto any = [&](std::size_t count) {
      return static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(count) - 1));
    };
    const Share share(*this);
    for (int attempt = 0; attempt < attempts; ++attempt) {
      for (const bool from_smallest : {false, true}) {
        Mix present = in_groups(from_smallest ? smallest : start, from_smallest);
        auto present_score = score(price(present, limit_bytes));
        for (int change = 0; change < changes && share.is_left(); ++change) {
          Mix changed = present;
          for (std::size_t count = 1 + any(3); count > 0; --count) {
            const auto [s, g] = places[any(places.size())];
            if (groups_[s].count > 1) {
              changed.groups[s][g] = groups_[s].options[any(groups_[s].options.size())];
            } else {
              changed.chosen[s] = any(candidates_[s].size());
            }
          }
          const bool fits = std::get<0>(present_score) == 0;
          const bool leaps = fits && any(changes_per_leap) == 0;
          if (fits && !leaps && instructions(changed) > std::get<1>(present_score)) continue;
          const auto one = score(price(changed, limit_bytes));
          if (leaps ? std::get<0>(one) > 0 : one > present_score) continue;
          present = std::move(changed);
          present_score = one;
          if (present_score < best_score) std::tie(best, best_score) = std::pair(present, present_score);
        }
      }
    }
    return best;
  }

  /// Random ways to make the groups of rows, and the lowest strips of all other steps.
  [[nodiscard]] Mix any_mix(std::uint64_t seed) const {
    Random random(seed);
    Chosen rows;
    for (std::size_t s = 0; s < candidates_.size(); ++s) rows.push_back(nearest(s, 1));
    Mix mix = in_groups(rows, true);
    for (std::size_t s = 0; s < mix.groups.size(); ++s) {
      const std::vector<std::size_t>& options = groups_[s].options;
      for (std::size_t& option : mix.groups[s]) option = nth(options, random.integer(0, std::ssize(options) - 1));
    }
    return mix;
  }

  /// The direct candidate of a step that makes at least so many rows at a time.
  [[nodiscard]] std::size_t nearest(std::size_t step, std::int32_t height) const {
    for (std::size_t option = 0; option < whole_[step]; ++option) {
      if (candidates_[step][option].rows >= height) return option;
    }
    return whole_[step];
  }

  /// `limit_bytes`: that the arena should keep within, for which more is tried than for the smallest.
  [[nodiscard]] Schedule place(const Mix& mix, std::int64_t limit_bytes) const;

 private:
  /// Rows of a step's output that are made in one way, one group after the other.
  struct Groups {
    std::int32_t rows = 0;                   ///< of a group
    std::size_t count = 0;                   ///< of groups; below 2: all strips of the step are made in one way
    std::vector<std::size_t> options;        ///< candidates, which read the same packed weights
    std::vector<std::vector<double>> costs;  ///< by candidate and group; empty for those that are no option
  };

  /// Groups of four rows, or of more where that gives too many.
  [[nodiscard]] Groups groups_of(std::size_t step) const {
    constexpr std::int32_t least_rows = 4;
    constexpr std::int32_t most_groups = 16;
    const std::int32_t height = planner_.rows_of(step);
    const std::vector<Candidate>& candidates = candidates_[step];
    Groups groups;
    groups.rows = (height + least_rows * most_groups - 1) / (least_rows * most_groups) * least_rows;
    groups.costs.resize(candidates.size());
    bool differ = false;
    for (std::size_t option = 0; option < candidates.size(); ++option) {
      const Candidate& one = candidates[option];
      if (one.kernel.whole_maps || one.is_dense || one.rows > groups.rows || groups.rows % one.rows != 0 ||
          !(one.kernel.layout == candidates[0].kernel.layout))
        continue;
      groups.options.push_back(option);
      differ = differ || one.kernel.name != candidates[0].kernel.name;
      for (std::int32_t first = 0; first < height; first += groups.rows) {
        const std::int32_t end = std::min(first + groups.rows, height);
        groups.costs[option].push_back(strip_cost(program_.steps[step], one.kernel, core_, one.rows, first, end));
      }
    }
    if (differ) groups.count = static_cast<std::size_t>((height + groups.rows - 1) / groups.rows);
    return groups;
  }

  /// The same choice, in groups: as chosen, or with the tallest strips of its kernel where those of a group are lower;
  /// or all by the lowest strips of the direct kernel.
  [[nodiscard]] Mix in_groups(const Chosen& chosen, bool all_direct) const {
    Mix mix(chosen);
    for (std::size_t s = 0; s < chosen.size(); ++s) {
      if (groups_[s].count < 2) continue;
      std::size_t nearest = groups_[s].options[0];
      for (const std::size_t option : groups_[s].options) {
        const Candidate& one = candidates_[s][option];
        if (!all_direct && one.kernel.name == candidates_[s][chosen[s]].kernel.name &&
            one.rows <= candidates_[s][chosen[s]].rows)
          nearest = option;
      }
      mix.groups[s].assign(groups_[s].count, nearest);
    }
    return mix;
  }

  static StripChoice choice_of(const Candidate& candidate) {
    return {candidate.rows, candidate.scratch_bytes, candidate.kernel.whole_maps || candidate.is_dense,
            candidate.kernel.reads_before_writing, candidate.kernel.in_place};
  }

  void find_choices(const Mix& mix) const {
    choices_.clear();
    group_choices_.resize(mix.chosen.size());
    for (std::size_t s = 0; s < mix.chosen.size(); ++s) {
      std::vector<StripChoice>& groups = group_choices_[s];
      groups.clear();
      for (const std::size_t option : mix.groups[s]) groups.push_back(choice_of(candidates_[s][option]));
      choices_.push_back(groups.empty() ? choice_of(candidates_[s][mix.chosen[s]]) : groups[0]);
      choices_.back().groups = groups;
      choices_.back().group_rows = groups_[s].rows;
    }
  }

  /// Kernels of a step whose strips are not all made in one way: its own is the one of most groups. By group, the
  /// variant.
  std::vector<std::int32_t> add_kernels(std::size_t step, const std::vector<std::size_t>& of_groups,
                                        Schedule& result) const {
    const auto groups_by = [&](std::size_t option) { return std::ranges::count(of_groups, option); };
    const std::size_t own = *std::ranges::max_element(of_groups, {}, groups_by);
    const auto kernel_by = [&](std::size_t option) {
      Kernel kernel = candidates_[step][option].kernel;
      kernel.scratch_bytes = candidates_[step][option].scratch_bytes;
      return kernel;
    };
    result.kernels.push_back(kernel_by(own));
    std::vector<std::int32_t> variants;
    std::vector<std::int32_t> variant_of(candidates_[step].size(), -1);
    for (const std::size_t option : of_groups) {
      if (option != own && variant_of[option] < 0) {
        variant_of[option] = static_cast<std::int32_t>(result.variants.size());
        result.variants.push_back({step, kernel_by(option)});
      }
      variants.push_back(variant_of[option]);
    }
    return variants;
  }

  /// Calls visit(chosen) for choices in which all steps that have other kernels than the direct one are in three runs,
  /// from the first to the last, each with one such kernel at its lowest strips; the rest is made row by row.
  template <typename Visit>
  void for_runs(Visit visit) const {
    std::vector<std::size_t> steps;
    std::vector<std::vector<std::size_t>> lowest;  // by such a step
    std::size_t kinds = 0;
    Chosen rows;
    for (std::size_t s = 0; s < candidates_.size(); ++s) {
      rows.push_back(nearest(s, 1));
      std::vector<std::size_t> of_kernels = lowest_by_kernel(s);
      if (of_kernels.size() == 1) continue;
      steps.push_back(s);
      lowest.push_back(std::move(of_kernels));
      kinds = std::max(kinds, lowest.back().size());
    }
    const Share share(*this);
    for (std::size_t first = 0; first <= steps.size(); ++first) {
      for (std::size_t second = first; second <= steps.size(); ++second) {
        for (std::size_t code = 0; code < kinds * kinds * kinds && share.is_left(); ++code) {
          const std::size_t kind_of_run[] = {code % kinds, code / kinds % kinds, code / kinds / kinds};
          Chosen chosen = rows;
          for (std::size_t i = 0; i < steps.size(); ++i) {
            const std::size_t kind = kind_of_run[i < first ? 0 : i < second ? 1 : 2];
            chosen[steps[i]] = lowest[i][std::min(kind, lowest[i].size() - 1)];
          }
          visit(std::move(chosen));
        }
      }
    }
  }

  /// The candidate with the lowest strips of each kernel, the direct one first.
  [[nodiscard]] std::vector<std::size_t> lowest_by_kernel(std::size_t step) const {
    std::vector<std::size_t> lowest{0};
    for (std::size_t option = whole_[step] + 1; option < candidates_[step].size(); ++option) {
      const auto same = [&](std::size_t other) {
        return candidates_[step][other].kernel.name == candidates_[step][option].kernel.name;
      };
      if (!candidates_[step][option].is_dense && std::ranges::none_of(lowest, same)) lowest.push_back(option);
    }
    return lowest;
  }

  /// Calls visit(changed) for every choice that differs in one step.
  template <typename Visit>
  void for_changes(const Chosen& chosen, Visit visit) const {
    Chosen changed = chosen;
    for (std::size_t s = 0; s < chosen.size(); ++s) {
      for (std::size_t option = 0; option < candidates_[s].size(); ++option) {
        changed[s] = option;
        if (option != chosen[s]) visit(changed);
      }
      changed[s] = chosen[s];
    }
  }

  /// Takes the change of one step that lowers the score most, until none does.
  template <typename Score>
  [[nodiscard]] Chosen descend(Chosen best, Score score, std::int64_t limit_bytes) const {
    auto best_score = score(price(best, limit_bytes));
    const Share share(*this);
    for (bool improved = true; improved && share.is_left();) {
      improved = false;
      const Chosen present = best;
      for_changes(present, [&](const Chosen& changed) {
        const auto one = score(price(changed, limit_bytes));
        if (!(one < best_score)) return;
        best = changed;
        best_score = one;
        improved = true;
      });
    }
    return best;
  }

  /// The fastest of all, made smaller until it is within the limit, or cannot come nearer.
  [[nodiscard]] Chosen shrink(std::int64_t limit_bytes) const {
    Chosen present;
    for (const auto& candidates : candidates_) {
      const auto fastest = std::ranges::min_element(candidates, {}, &Candidate::cost);
      present.push_back(static_cast<std::size_t>(fastest - candidates.begin()));
    }
    Price now = price(present, limit_bytes);
    const Share share(*this);
    while (now.beyond > 0 && share.is_left()) {
      Chosen best;
      double best_ratio = std::numeric_limits<double>::infinity();  // instructions for a byte less
      for_changes(present, [&](const Chosen& changed) {
        const Price one = price(changed, limit_bytes);
        if (one.beyond >= now.beyond) return;
        const double ratio = (one.instructions - now.instructions) / static_cast<double>(now.beyond - one.beyond);
        if (ratio >= best_ratio) return;
        best = changed;
        best_ratio = ratio;
      });
      if (best.empty()) break;
      present = best;
      now = price(present, limit_bytes);
    }
    return present;
  }

  /// What a part of the search may take: a third of what is left. A part that ends early has found something, too.
  class Share {
   public:
    explicit Share(const StripSearch& search) : search_(search), end_(search.rows_left_ - search.rows_left_ / 3) {}
    [[nodiscard]] bool is_left() const { return search_.rows_left_ > end_; }

   private:
    const StripSearch& search_;
    std::int64_t end_;
  };

  /// Rows of choices that are priced in one search, so that it takes seconds at most. ResNet-8 takes some millions.
  static constexpr std::int64_t most_rows_priced = 60'000'000;

  const Program& program_;
  Core core_;
  Optimize optimize_;
  StripPlanner planner_;
  std::vector<std::vector<Candidate>> candidates_;  // by step: direct ones, the lowest strips first, then others
  Chosen whole_;                                    // direct, all rows at once
  Chosen dense_;                                    // the same without gaps where that is faster
  std::vector<Groups> groups_;                      // by step
  std::int64_t options_ = 0;
  std::int64_t rows_ = 0;  ///< of all steps
  mutable std::int64_t rows_left_ = most_rows_priced;
  mutable std::vector<StripChoice> choices_;  // of the choice that is priced
  mutable std::vector<std::vector<StripChoice>> group_choices_;
  mutable StripMemory memory_;
};

/// The largest gap that the pieces leave while an operation runs.
Gap gap_at(std::span<const ArenaPiece> pieces, const Arena& arena, std::int64_t operation) {
  std::vector<Block> blocks;
  Arena alive;
  alive.bytes = arena.bytes;
  for (const ArenaPiece& piece : pieces) {
    if (piece.first > 2 * operation + 1 || piece.last < 2 * operation) continue;
    blocks.push_back({piece.bytes, 0, 0});
    alive.offsets.push_back(nth(arena.offsets, piece.shape) + piece.offset);
  }
  return Gaps(blocks, alive, 1).largest(0);
}

Schedule StripSearch::place(const Mix& mix, std::int64_t limit_bytes) const {
  Schedule result;
  result.core = core_;
  result.optimize = optimize_;
  const std::int64_t lower_bound = price(mix).bytes;
  const StripPlan plan = planner_.plan(choices_);
  Arena arena = place_pieces(plan.pieces, lower_bound, 8, 450);
  if (arena.bytes > limit_bytes && lower_bound <= limit_bytes) {
    arena = place_pieces(plan.pieces, limit_bytes, 8, 3000);
    arena.lower_bound_bytes = lower_bound;
  }
  result.arena_bytes = arena.bytes;
  result.lower_bound_bytes = arena.lower_bound_bytes;
  result.pushes = plan.pushes;

  // kernels that are faster with more scratch memory take what all strips of their step leave free
  std::vector<ArenaPiece> rows = plan.pieces;
  std::erase_if(rows, [&](const ArenaPiece& piece) {
    return std::ranges::find(plan.scratch_shapes, static_cast<std::int64_t>(piece.shape)) != plan.scratch_shapes.end();
  });
  std::vector<Gap> gaps;
  std::vector<std::int64_t> room(program_.steps.size(), INT64_MAX);
  for (std::size_t t = 0; t < plan.operations.size(); ++t) {
    Gap gap = gap_at(rows, arena, static_cast<std::int64_t>(t));
    const std::int64_t aligned_offset = aligned(gap.offset);
    gap = {aligned_offset, gap.bytes - (aligned_offset - gap.offset)};
    gaps.push_back(gap);
    std::int64_t& least = room[plan.operations[t].step];
    least = std::min(least, gap.bytes);
  }
  std::vector<std::vector<std::int32_t>> variants(program_.steps.size());  // by step and group
  for (std::size_t s = 0; s < program_.steps.size(); ++s) {
    if (!mix.groups[s].empty()) {
      variants[s] = add_kernels(s, mix.groups[s], result);
      continue;
    }
    const Candidate& candidate = candidates_[s][mix.chosen[s]];
    Kernel kernel = candidate.kernel;
    kernel.scratch_bytes = candidate.scratch_bytes;
    if (candidate.is_direct) {
      Kernel roomy =
          choose_kernel(program_.steps[s], core_, optimize_, std::max<std::int64_t>(room[s], 0), candidate.rows);
      if (roomy.scratch_bytes <= room[s]) kernel = std::move(roomy);
    }
    result.kernels.push_back(std::move(kernel));
  }

  for (std::size_t t = 0; t < plan.operations.size(); ++t) {
    const StripOperation& operation = plan.operations[t];
    const std::vector<std::int32_t>& of_groups = variants[operation.step];
    const std::int32_t variant =
        of_groups.empty() ? -1 : nth(of_groups, operation.first_row / groups_[operation.step].rows);
    ScheduledOperation made{operation.step, operation.first_row, operation.rows, 0, variant};
    const Kernel& kernel = result.kernel_of(made);
    const std::int64_t shape = plan.scratch_shapes[t];
    const bool fits = kernel.scratch_bytes <= gaps[t].bytes;
    const std::int64_t scratch = kernel.scratch_bytes == 0 ? 0 : fits ? gaps[t].offset : nth(arena.offsets, shape);
    const auto at = static_cast<std::int64_t>(t);
    made.scratch = scratch;
    result.operations.push_back(made);
    if (kernel.scratch_bytes > 0) result.uses.push_back({-1, scratch, kernel.scratch_bytes, at, at});
  }

  std::vector<std::int32_t> tables(program_.buffers.size(), -1);
  for (std::size_t v = 0; v < program_.buffers.size(); ++v) {
    const std::vector<std::int64_t>& shapes = plan.row_shapes[v];
    if (shapes.empty() || plan.dense[v]) continue;
    tables[v] = static_cast<std::int32_t>(result.row_tables.size());
    std::vector<std::uint16_t>& table = result.row_tables.emplace_back();
    for (const std::int64_t shape : shapes) {
      table.push_back(static_cast<std::uint16_t>(shape < 0 ? 0 : nth(arena.offsets, shape) / 8));
    }
  }
  for (std::size_t id = 0; id < program_.buffers.size(); ++id) {
    const PlaceInOwner place = place_in_owner(program_, static_cast<BufferId>(id));
    const std::vector<std::int64_t>& shapes = nth(plan.row_shapes, place.owner);
    const bool dense = nth(plan.dense, place.owner) && !shapes.empty();
    result.places.push_back({place.offset + (dense ? nth(arena.offsets, shapes[0]) : 0), nth(tables, place.owner)});
  }
  for (std::size_t v = 0; v < program_.buffers.size(); ++v) {
    for (std::size_t row = 0; row < plan.row_shapes[v].size(); ++row) {
      if (plan.row_shapes[v][row] < 0) continue;
      for (const ArenaPiece& piece : plan.pieces) {
        if (static_cast<std::int64_t>(piece.shape) != plan.row_shapes[v][row]) continue;
        const runtime::Image image = image_of(program_, static_cast<BufferId>(v));
        const std::int64_t bytes = std::int64_t{image.width} * image.pixel_stride;
        if (plan.dense[v] && piece.offset != static_cast<std::int64_t>(row) * bytes) continue;
        result.uses.push_back({static_cast<BufferId>(v), nth(arena.offsets, piece.shape) + piece.offset, bytes,
                               piece.first < 0 ? -1 : piece.first / 2, piece.last / 2});
      }
    }
  }
  return result;
}

constexpr std::int64_t most_bytes = 8 * std::int64_t{UINT16_MAX};  // that tables of rows can name

StripSchedule schedule_alike(const StripSearch& search, const StripSearch::Chosen& smallest, std::int64_t limit_bytes,
                             StripSearch::Chosen& chosen) {
  const StripSearch::Price least = search.price(smallest);
  // places may take some bytes more than the most that is alive at one time
  std::int64_t limit = std::min(limit_bytes, most_bytes);
  for (int attempt = 0; attempt < 6 && least.bytes < limit; ++attempt) {
    chosen = search.fastest(smallest, limit);
    constexpr double slack = 1.01;
    chosen = search.smallest_within(chosen, smallest, slack * search.price(chosen).instructions);
    Schedule faster = search.place(StripSearch::Mix(chosen), limit_bytes);
    if (faster.arena_bytes <= std::min(limit_bytes, most_bytes))
      return {std::move(faster), search.price(chosen).instructions, search.rows_priced()};
    limit = std::min(limit, search.price(chosen).bytes) - 8;
  }
  chosen = smallest;
  return {search.place(StripSearch::Mix(smallest), limit_bytes), least.instructions, search.rows_priced()};
}

/// Strips of one step that are made in different ways, where that takes clearly fewer instructions in as many bytes.
void mix_strips(const StripSearch& search, const StripSearch::Chosen& alike, const StripSearch::Chosen& smallest,
                std::int64_t limit_bytes, StripSchedule& result) {
  constexpr double clearly = 0.99;
  const std::int64_t limit = std::min(std::max(limit_bytes, result.schedule.arena_bytes), most_bytes);
  for (const double share : {1.0, 0.99, 0.98, 0.97, 0.96, 0.95, 0.93}) {
    const StripSearch::Mix mix =
        search.fastest_mix(alike, smallest, static_cast<std::int64_t>(static_cast<double>(limit) * share));
    if (search.instructions(mix) > clearly * result.instructions) return;
    Schedule mixed = search.place(mix, limit);
    if (mixed.arena_bytes > limit) continue;
    result = {std::move(mixed), search.instructions(mix), search.rows_priced()};
    return;
  }
}

}  // namespace

std::optional<StripSchedule> schedule_strips(const Program& program, Core core, Optimize optimize,
                                             std::int64_t limit_bytes, const ScheduleLimits& limits, InputForm input) {
  const StripSearch search(program, core, optimize, limits.one_kernel_each, input);
  if (search.is_too_large()) return std::nullopt;
  const StripSearch::Chosen smallest = search.smallest();
  StripSearch::Chosen chosen;
  StripSchedule result = schedule_alike(search, smallest, limit_bytes, chosen);
  if (search.can_mix() && !limits.alike) mix_strips(search, chosen, smallest, limit_bytes, result);
  result.rows_priced = search.rows_priced();
  return result.schedule.arena_bytes > most_bytes ? std::nullopt : std::optional(std::move(result));
}

Schedule schedule_in_strips(const Program& program, Core core, Optimize optimize, std::span<const std::int32_t> rows,
                            InputForm input) {
  const StripSearch search(program, core, optimize, false, input);
  StripSearch::Chosen chosen;
  for (std::size_t s = 0; s < program.steps.size(); ++s) chosen.push_back(search.nearest(s, rows[s]));
  return search.place(StripSearch::Mix(std::move(chosen)), 0);
}

Schedule schedule_in_mixed_strips(const Program& program, Core core, std::uint64_t seed, InputForm input) {
  const StripSearch search(program, core, Optimize::speed, false, input);
  return search.place(search.any_mix(seed), 0);
}

}  // namespace trimtab
