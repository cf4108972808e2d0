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
  }

  /// Places the shapes in that order. Returns the bytes used.
  std::int64_t place(std::span<const std::size_t> order, std::vector<std::int64_t>& offsets) {
    constexpr std::int64_t unplaced = -1;
    offsets.assign(shapes_.size(), unplaced);
    std::int64_t used = 0;
    for (const std::size_t shape : order) {
      forbidden_.clear();
      for (const auto& [own, other] : neighbours_[shape]) {
        const ArenaPiece& mine = pieces_[own];
        const ArenaPiece& theirs = pieces_[other];
        const std::int64_t at = offsets[theirs.shape];
        if (at == unplaced) continue;
        const std::int64_t begin = at + theirs.offset - mine.offset;
        forbidden_.emplace_back(begin - mine.bytes, begin + theirs.bytes);
      }
      std::sort(forbidden_.begin(), forbidden_.end());
      std::int64_t offset = 0;
      for (const auto& [low, high] : forbidden_) {
        if (low < offset && offset < high) offset = align(high);
      }
      offsets[shape] = offset;
      used = std::max(used, offset + shapes_[shape].bytes);
    }
    return used;
  }

 private:
  [[nodiscard]] std::int64_t align(std::int64_t bytes) const {
    return (bytes + alignment_ - 1) / alignment_ * alignment_;
  }

  /// For every shape the pairs of one of its pieces and another shape's that are alive at the same time.
  void find_neighbours() {
    neighbours_.resize(shapes_.size());
    std::vector<std::size_t> order(pieces_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [&](std::size_t piece) { return pieces_[piece].first; });
    std::vector<std::size_t> alive;
    for (const std::size_t piece : order) {
      std::erase_if(alive, [&](std::size_t other) { return pieces_[other].last < pieces_[piece].first; });
      for (const std::size_t other : alive) {
        if (pieces_[other].shape == pieces_[piece].shape) continue;
        neighbours_[pieces_[piece].shape].emplace_back(piece, other);
        neighbours_[pieces_[other].shape].emplace_back(other, piece);
      }
      alive.push_back(piece);
    }
  }

  std::vector<ArenaPiece> pieces_;
  std::int64_t alignment_;
  std::vector<ShapeSize> shapes_;
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> neighbours_;  // by shape: own piece, other piece
  std::vector<std::pair<std::int64_t, std::int64_t>> forbidden_;              // offsets strictly between
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
  const auto attempt = [&](const std::vector<std::size_t>& order) {
    const std::int64_t bytes = placer.place(order, offsets);
    if (bytes < arena.bytes) {
      arena.bytes = bytes;
      arena.offsets = offsets;
      best_turned = turned;
    }
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
      std::vector<std::size_t> order = start.order;
      std::rotate(order.begin() + to, order.begin() + from, order.begin() + from + 1);
      const std::int64_t bytes = attempt(order);
      // now and then a worse order, to leave a dead end
      if (bytes > current && random.integer(0, 99) >= 3) continue;
      current = bytes;
      present = offsets;
      start.order = std::move(order);
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
