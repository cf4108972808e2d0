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

/// Misses of the four machines that manuals leave open: whether a miss fills a line or only what one access brings, and
/// whether instructions that follow one another are prefetched.
enum FlashMachine : std::size_t { fills_lines, fills_lines_prefetches, fills_reads, fills_reads_prefetches };
constexpr std::size_t flash_machines = 4;
using FlashMisses = std::array<std::int64_t, flash_machines>;

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
    fetch(address, bytes, line_, instruction_lines_, last_line_, misses[fills_lines], misses[fills_lines_prefetches]);
    fetch(address, bytes, read_, instruction_reads_, last_read_, misses[fills_reads], misses[fills_reads_prefetches]);
  }

  /// A load, which lies in one access.
  void load(std::uint64_t address, FlashMisses& misses) {
    const std::int64_t line = data_lines_.touch(address / line_) ? 0 : 1;
    const std::int64_t read = data_reads_.touch(address / read_) ? 0 : 1;
    misses[fills_lines] += line;
    misses[fills_lines_prefetches] += line;
    misses[fills_reads] += read;
    misses[fills_reads_prefetches] += read;
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
