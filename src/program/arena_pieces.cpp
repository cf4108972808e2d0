// Places for shapes of several pieces: many small blocks, most of them alone.

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <utility>

#include "base/random.h"
#include "program/arena.h"

namespace trimtab {
namespace {

struct ShapeSize {
  std::int64_t bytes = 0;
  std::int64_t first = INT64_MAX;
  std::int64_t last = INT64_MIN;
};

class PiecePlacer {
 public:
  PiecePlacer(std::span<const ArenaPiece> pieces, std::int64_t alignment)
      : pieces_(pieces.begin(), pieces.end()), alignment_(alignment) {
    for (const ArenaPiece& piece : pieces_) {
      if (piece.shape >= shapes_.size()) shapes_.resize(piece.shape + 1);
      ShapeSize& shape = shapes_[piece.shape];
      shape.bytes = std::max(shape.bytes, align(piece.offset + piece.bytes));
      shape.first = std::min(shape.first, piece.first);
      shape.last = std::max(shape.last, piece.last);
    }
    find_neighbours();
  }

  [[nodiscard]] const std::vector<ShapeSize>& shapes() const { return shapes_; }

  /// The same shapes seen from the other end of the arena.
  void turn() {
    for (ArenaPiece& piece : pieces_) piece.offset = shapes_[piece.shape].bytes - piece.offset - piece.bytes;
    find_neighbours();
  }

  /// Places the shapes in that order; those at the first `kept` positions already have their offsets. Returns the bytes
  /// used. Ends early where `is_enough` says so of more bytes than `limit`, which it is asked once.
  template <typename IsEnough>
  std::int64_t place(std::span<const std::size_t> order, std::size_t kept, std::vector<std::int64_t>& offsets,
                     std::int64_t limit, IsEnough is_enough) {
    constexpr std::int64_t unplaced = -1;
    std::int64_t used = 0;
    for (const std::size_t shape : order.subspan(kept)) offsets[shape] = unplaced;
    for (const std::size_t shape : order.first(kept)) used = std::max(used, offsets[shape] + shapes_[shape].bytes);
    bool asked = false;
    for (const std::size_t shape : order.subspan(kept)) {
      if (used > limit && !std::exchange(asked, true) && is_enough()) return used;
      forbidden_.clear();
      for (const Neighbour& other : neighbours_[shape]) {
        const std::int64_t at = offsets[other.shape];
        if (at != unplaced) forbidden_.emplace_back(at + other.low, at + other.high);
      }
      std::sort(forbidden_.begin(), forbidden_.end());
      std::int64_t offset = 0;
      for (const auto& [low, high] : forbidden_) {
        if (low < offset && offset < high) offset = align(high);
      }
      offsets[shape] = offset;
      used = std::max(used, offset + shapes_[shape].bytes);
    }
    if (used > limit && !asked) is_enough();
    return used;
  }

 private:
  [[nodiscard]] std::int64_t align(std::int64_t bytes) const {
    return (bytes + alignment_ - 1) / alignment_ * alignment_;
  }

  /// A shape with a piece that is alive at the same time as one of ours: we cannot lie strictly between `low` and
  /// `high` bytes from it.
  struct Neighbour {
    std::size_t shape = 0;
    std::int64_t low = 0;
    std::int64_t high = 0;
  };

  void add_neighbour(const ArenaPiece& mine, const ArenaPiece& theirs) {
    const std::int64_t begin = theirs.offset - mine.offset;
    neighbours_[mine.shape].push_back({theirs.shape, begin - mine.bytes, begin + theirs.bytes});
  }

  void find_neighbours() {
    neighbours_.assign(shapes_.size(), {});
    std::vector<std::size_t> order(pieces_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [&](std::size_t piece) { return pieces_[piece].first; });
    std::vector<std::size_t> alive;
    for (const std::size_t piece : order) {
      std::erase_if(alive, [&](std::size_t other) { return pieces_[other].last < pieces_[piece].first; });
      for (const std::size_t other : alive) {
        if (pieces_[other].shape == pieces_[piece].shape) continue;
        add_neighbour(pieces_[piece], pieces_[other]);
        add_neighbour(pieces_[other], pieces_[piece]);
      }
      alive.push_back(piece);
    }
  }

  std::vector<ArenaPiece> pieces_;
  std::int64_t alignment_;
  std::vector<ShapeSize> shapes_;
  std::vector<std::vector<Neighbour>> neighbours_;                // by shape
  std::vector<std::pair<std::int64_t, std::int64_t>> forbidden_;  // offsets strictly between
};

struct Attempt {
  std::int64_t bytes = 0;
  bool turned = false;
  std::vector<std::size_t> order;
};

}  // namespace

Arena place_pieces(std::span<const ArenaPiece> pieces, std::int64_t lower_bound, std::int64_t alignment, int tries) {
  PiecePlacer placer(pieces, alignment);
  Arena arena;
  arena.lower_bound_bytes = lower_bound;
  if (pieces.empty()) return arena;
  const std::vector<ShapeSize>& shapes = placer.shapes();
  bool turned = false;
  bool best_turned = false;
  arena.bytes = INT64_MAX;
  std::vector<std::int64_t> offsets;
  const auto note = [&](std::int64_t bytes) {
    if (bytes >= arena.bytes) return;
    arena.bytes = bytes;
    arena.offsets = offsets;
    best_turned = turned;
  };
  const auto attempt = [&](const std::vector<std::size_t>& order) {
    offsets.resize(shapes.size());
    const std::int64_t bytes = placer.place(order, 0, offsets, INT64_MAX, [] { return false; });
    note(bytes);
    return bytes;
  };
  using Key = std::array<std::int64_t, 3>;
  const std::array<std::function<Key(const ShapeSize&)>, 3> keys = {[](const ShapeSize& s) {
                                                                      return Key{-s.bytes, s.first, 0};
                                                                    },
                                                                    [](const ShapeSize& s) {
                                                                      return Key{-s.bytes, s.first - s.last, s.first};
                                                                    },
                                                                    [](const ShapeSize& s) {
                                                                      return Key{s.first, -s.bytes, 0};
                                                                    }};
  std::vector<Attempt> attempts;
  for (int side = 0; side < 2; ++side) {
    for (const auto& key : keys) {
      Attempt& one = attempts.emplace_back();
      one.turned = turned;
      one.order.resize(shapes.size());
      std::iota(one.order.begin(), one.order.end(), 0);
      std::ranges::stable_sort(one.order, {}, [&](std::size_t shape) { return key(shapes[shape]); });
      one.bytes = attempt(one.order);
    }
    placer.turn();
    turned = !turned;
  }
  std::ranges::stable_sort(attempts, {}, &Attempt::bytes);
  attempts.resize(3);
  Random random(1);
  for (Attempt& start : attempts) {
    if (start.turned != turned) {
      placer.turn();
      turned = !turned;
    }
    std::int64_t current = attempt(start.order);
    std::vector<std::int64_t> present = offsets;
    for (int i = 0; i < tries / 3 && arena.bytes > lower_bound; ++i) {
      constexpr std::int64_t near_the_top = 256;
      std::vector<std::size_t> positions;
      for (std::size_t p = 1; p < start.order.size(); ++p) {
        const std::size_t shape = start.order[p];
        if (present[shape] + shapes[shape].bytes >= current - near_the_top) positions.push_back(p);
      }
      if (positions.empty()) break;
      const auto from =
          static_cast<std::int64_t>(positions[static_cast<std::size_t>(random.integer(0, std::ssize(positions) - 1))]);
      const std::int64_t to = random.integer(0, from);
      // what stands before `to` keeps its place
      const auto begin = start.order.begin();
      std::rotate(begin + to, begin + from, begin + from + 1);
      offsets = present;
      bool rejected = false;
      const std::int64_t bytes = placer.place(start.order, static_cast<std::size_t>(to), offsets, current, [&] {
        // now and then a worse order, to leave a dead end
        rejected = random.integer(0, 99) >= 3;
        return rejected;
      });
      if (rejected) {
        std::rotate(begin + to, begin + to + 1, begin + from + 1);
        continue;
      }
      note(bytes);
      current = bytes;
      present = offsets;
    }
  }
  if (best_turned) {
    for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
      arena.offsets[shape] = arena.bytes - arena.offsets[shape] - shapes[shape].bytes;
    }
  }
  return arena;
}

}  // namespace trimtab
