#include "program/strip_schedule.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/index.h"
#include "program/arena.h"
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

struct Candidate {
  std::int32_t rows = 1;
  Kernel kernel;
  double cost = 0;
};

class StripSearch {
 public:
  StripSearch(const Program& program, Core core, Optimize optimize)
      : program_(program), core_(core), optimize_(optimize), planner_(program) {
    for (std::size_t s = 0; s < program.steps.size(); ++s) {
      std::vector<Candidate>& candidates = candidates_.emplace_back();
      for (const std::int32_t rows : heights_of(planner_.rows_of(s))) {
        Kernel kernel = choose_kernel(program.steps[s], core, optimize, 0, rows);
        if (kernel.whole_maps && rows < planner_.rows_of(s)) continue;
        const double cost = strip_cost(program.steps[s], kernel, rows);
        candidates.push_back({rows, std::move(kernel), cost});
      }
      whole_cost_ += candidates.back().cost;
      total_rows_ += planner_.rows_of(s);
    }
  }

  /// Whether a descent would take long.
  [[nodiscard]] bool is_too_large() const {
    constexpr std::int64_t most = 40'000'000;
    std::int64_t options = 0;
    for (const auto& candidates : candidates_) options += std::ssize(candidates);
    return options * total_rows_ > most;
  }

  /// Indices of candidates by step.
  [[nodiscard]] std::vector<std::size_t> descend(double most_cost) {
    limit_ = most_cost * whole_cost_;
    std::vector<std::size_t> best = whole();
    Score best_score = score(best);
    // strips of one height before a step, whole maps from there on
    for (const std::int32_t height : {1, 2, 4}) {
      for (std::size_t cut = 1; cut <= program_.steps.size(); ++cut) {
        std::vector<std::size_t> start = whole();
        for (std::size_t s = 0; s < cut; ++s) start[s] = nearest(s, height);
        const Score one = score(start);
        if (one < best_score) std::tie(best, best_score) = std::pair(std::move(start), one);
      }
    }
    for (bool improved = true; improved;) {
      improved = false;
      for (std::size_t s = 0; s < program_.steps.size(); ++s) {
        for (std::size_t option = 0; option < candidates_[s].size(); ++option) {
          if (option == best[s]) continue;
          std::vector<std::size_t> other = best;
          other[s] = option;
          const Score one = score(other);
          if (!(one < best_score)) continue;
          best = std::move(other);
          best_score = one;
          improved = true;
        }
      }
    }
    return best;
  }

  /// The candidate of a step that makes at least so many rows at a time.
  [[nodiscard]] std::size_t nearest(std::size_t step, std::int32_t height) const {
    const auto& candidates = candidates_[step];
    const auto found = std::ranges::find_if(candidates, [&](const Candidate& c) { return c.rows >= height; });
    return found == candidates.end() ? candidates.size() - 1 : static_cast<std::size_t>(found - candidates.begin());
  }

  [[nodiscard]] Schedule place(const std::vector<std::size_t>& chosen) const;

 private:
  /// Smaller is better: what is beyond the limit of cost, bytes, cost.
  using Score = std::tuple<double, std::int64_t, double>;

  [[nodiscard]] std::vector<std::size_t> whole() const {
    std::vector<std::size_t> chosen;
    for (const auto& candidates : candidates_) chosen.push_back(candidates.size() - 1);
    return chosen;
  }

  [[nodiscard]] StripChoice choice(std::size_t step, std::size_t option) const {
    const Candidate& candidate = candidates_[step][option];
    return {candidate.rows, candidate.kernel.scratch_bytes, candidate.kernel.whole_maps, candidate.kernel.in_place};
  }

  [[nodiscard]] std::vector<StripChoice> choices(const std::vector<std::size_t>& chosen) const {
    std::vector<StripChoice> result;
    for (std::size_t s = 0; s < chosen.size(); ++s) result.push_back(choice(s, chosen[s]));
    return result;
  }

  [[nodiscard]] Score score(const std::vector<std::size_t>& chosen) const {
    double cost = 0;
    for (std::size_t s = 0; s < chosen.size(); ++s) cost += candidates_[s][chosen[s]].cost;
    return {std::max(cost - limit_, 0.0), planner_.plan(choices(chosen)).lower_bound_bytes, cost};
  }

  const Program& program_;
  Core core_;
  Optimize optimize_;
  StripPlanner planner_;
  std::vector<std::vector<Candidate>> candidates_;  // by step, the lowest strips first
  double whole_cost_ = 0;
  double limit_ = std::numeric_limits<double>::infinity();
  std::int64_t total_rows_ = 0;
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
  return largest_gap(blocks, alive, 0, 1);
}

Schedule StripSearch::place(const std::vector<std::size_t>& chosen) const {
  Schedule result;
  result.core = core_;
  result.optimize = optimize_;
  const StripPlan plan = planner_.plan(choices(chosen));
  const Arena arena = place_pieces(plan.pieces, plan.lower_bound_bytes);
  result.arena_bytes = arena.bytes;
  result.lower_bound_bytes = arena.lower_bound_bytes;

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
  for (std::size_t s = 0; s < program_.steps.size(); ++s) {
    const Candidate& candidate = candidates_[s][chosen[s]];
    Kernel kernel =
        choose_kernel(program_.steps[s], core_, optimize_, std::max<std::int64_t>(room[s], 0), candidate.rows);
    if (kernel.scratch_bytes > room[s]) kernel = candidate.kernel;
    result.kernels.push_back(std::move(kernel));
  }

  for (std::size_t t = 0; t < plan.operations.size(); ++t) {
    const StripOperation& operation = plan.operations[t];
    const Kernel& kernel = result.kernels[operation.step];
    const std::int64_t shape = plan.scratch_shapes[t];
    const bool fits = kernel.scratch_bytes <= gaps[t].bytes;
    const std::int64_t scratch = kernel.scratch_bytes == 0 ? 0 : fits ? gaps[t].offset : nth(arena.offsets, shape);
    const auto at = static_cast<std::int64_t>(t);
    result.operations.push_back({operation.step, operation.step, operation.first_row, operation.rows, scratch});
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

}  // namespace

std::optional<Schedule> schedule_strips(const Program& program, Core core, Optimize optimize, double most_cost) {
  StripSearch search(program, core, optimize);
  if (search.is_too_large()) return std::nullopt;
  Schedule result = search.place(search.descend(most_cost));
  constexpr std::int64_t most_bytes = 8 * std::int64_t{UINT16_MAX};  // that tables of rows can name
  if (result.arena_bytes > most_bytes) return std::nullopt;
  return result;
}

Schedule schedule_in_strips(const Program& program, Core core, Optimize optimize, std::span<const std::int32_t> rows) {
  const StripSearch search(program, core, optimize);
  std::vector<std::size_t> chosen;
  for (std::size_t s = 0; s < program.steps.size(); ++s) chosen.push_back(search.nearest(s, rows[s]));
  return search.place(chosen);
}

}  // namespace trimtab
