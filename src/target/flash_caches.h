#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

// The caches between a core and its flash, on the addresses of a run. Header-only and free of the rest of the library:
// the emulator's plugin simulates them, too.
namespace trimtab {

/// Caches in front of a flash, as a chip's manual gives them.
struct FlashCacheShape {
  std::int64_t instruction_lines = 0;
  std::int64_t data_lines = 0;
  std::int64_t line_bytes = 16;
  std::int64_t read_bytes = 16;  ///< of one access to the flash
};

/// Manuals leave open whether a miss fills a line or only what one access brings, and whether instructions that follow
/// one another are prefetched. So misses are counted for all of these.
enum FlashMiss : std::size_t {
  instruction_lines,
  instruction_lines_prefetched,
  instruction_reads,
  instruction_reads_prefetched,
  data_lines,
  data_reads
};
using FlashMisses = std::array<std::int64_t, 6>;

/// Fully associative; the least recently used entry goes.
class LeastRecentlyUsed {
 public:
  explicit LeastRecentlyUsed(std::int64_t entries)
      : tags_(static_cast<std::size_t>(entries), ~std::uint64_t{0}), used_(static_cast<std::size_t>(entries), 0) {}

  /// Whether the tag is there; it is afterwards.
  bool touch(std::uint64_t tag) {
    ++clock_;
    std::size_t oldest = 0;
    for (std::size_t i = 0; i < tags_.size(); ++i) {
      if (tags_[i] == tag) {
        used_[i] = clock_;
        return true;
      }
      if (used_[i] < used_[oldest]) oldest = i;
    }
    if (!tags_.empty()) {
      tags_[oldest] = tag;
      used_[oldest] = clock_;
    }
    return false;
  }

 private:
  std::vector<std::uint64_t> tags_;
  std::vector<std::uint64_t> used_;
  std::uint64_t clock_ = 0;
};

class FlashCaches {
 public:
  explicit FlashCaches(const FlashCacheShape& shape)
      : line_(static_cast<std::uint64_t>(shape.line_bytes)),
        read_(static_cast<std::uint64_t>(shape.read_bytes)),
        instruction_lines_(shape.instruction_lines),
        instruction_reads_(shape.instruction_lines * shape.line_bytes / shape.read_bytes),
        data_lines_(shape.data_lines),
        data_reads_(shape.data_lines * shape.line_bytes / shape.read_bytes) {}

  /// Instructions from `address` on.
  void fetch(std::uint64_t address, std::uint64_t bytes, FlashMisses& misses) {
    fetch(address, bytes, line_, instruction_lines_, last_line_, misses[instruction_lines],
          misses[instruction_lines_prefetched]);
    fetch(address, bytes, read_, instruction_reads_, last_read_, misses[instruction_reads],
          misses[instruction_reads_prefetched]);
  }

  /// A load, which lies in one access.
  void load(std::uint64_t address, FlashMisses& misses) {
    if (!data_lines_.touch(address / line_)) ++misses[data_lines];
    if (!data_reads_.touch(address / read_)) ++misses[data_reads];
  }

 private:
  static void fetch(std::uint64_t address, std::uint64_t bytes, std::uint64_t unit, LeastRecentlyUsed& cache,
                    std::uint64_t& last, std::int64_t& misses, std::int64_t& misses_prefetching) {
    for (std::uint64_t tag = address / unit; tag <= (address + bytes - 1) / unit; ++tag) {
      if (tag != last && !cache.touch(tag)) {
        ++misses;
        if (tag != last + 1) ++misses_prefetching;
      }
      last = tag;
    }
  }

  std::uint64_t line_;
  std::uint64_t read_;
  LeastRecentlyUsed instruction_lines_;
  LeastRecentlyUsed instruction_reads_;
  LeastRecentlyUsed data_lines_;
  LeastRecentlyUsed data_reads_;
  std::uint64_t last_line_ = ~std::uint64_t{1};
  std::uint64_t last_read_ = ~std::uint64_t{1};
};

}  // namespace trimtab
