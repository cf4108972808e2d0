#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emit/board/line.h"
#include "trimtab/board_link.h"

namespace trimtab {

/// The network that a board runs, as the board describes it.
struct BoardInfo {
  std::string hash;  ///< SHA-256 of the integer network (NAME_MODEL_HASH)
  std::int64_t input_bytes = 0;
  std::int64_t output_bytes = 0;
  std::size_t points = 0;
  std::size_t layers = 0;  ///< 0: it counts no cycles of layers
  std::int64_t frame_bytes = 0;
  bool counts_cycles = false;
};

/// One inference on a board.
struct BoardRun {
  std::vector<std::uint8_t> output;
  std::int64_t cycles = 0;
  std::vector<std::uint32_t> layer_cycles;
};

/// How long to wait for an answer before the request is sent again, and how often it is sent.
struct LinkPatience {
  std::chrono::milliseconds answer{1000};
  std::chrono::milliseconds run{10'000};
  int tries = 10;
};

/// The host's side of runtime/trimtab/board_link.h: asks, and asks again where an answer is lost or damaged.
class BoardLink {
 public:
  BoardLink(Line& line, LinkPatience patience);

  /// Throws Error (failure) where nothing answers, or something else does.
  [[nodiscard]] BoardInfo greet();
  /// Runs a sample at an operating point. A board that lost the sample, as by a reset, gets it again. Throws Error
  /// (failure) where the board falls silent or refuses.
  [[nodiscard]] BoardRun run(const BoardInfo& board, std::span<const std::uint8_t> sample, std::size_t point);

  /// Requests that were sent again so far.
  [[nodiscard]] std::int64_t repeated() const { return repeated_; }
  [[nodiscard]] std::string name() const { return line_.name(); }

 private:
  struct Answer {
    std::uint8_t type = 0;  ///< 0: a damaged frame
    std::vector<std::uint8_t> body;
  };
  /// Sends a request until it is answered.
  [[nodiscard]] Answer ask(trimtab_link_type type, std::span<const std::uint8_t> body, std::chrono::milliseconds wait);
  void drop_received();
  [[nodiscard]] std::optional<Answer> await(trimtab_link_type type, Line::Time deadline);
  [[nodiscard]] std::optional<Answer> next_frame(Line::Time deadline, std::uint8_t& sequence);
  /// Bytes [0, total) of what the board has, `most` in a frame.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> fetch(trimtab_link_type type, std::int64_t total,
                                                               std::int64_t item_bytes, std::int64_t most);
  [[nodiscard]] std::optional<BoardRun> try_run(const BoardInfo& board, std::span<const std::uint8_t> sample,
                                                std::size_t point);
  [[noreturn]] void give_up() const;

  Line& line_;
  LinkPatience patience_;
  std::vector<std::uint8_t> frame_;
  trimtab_link_reader reader_{};
  std::vector<std::uint8_t> pending_;
  std::size_t pending_at_ = 0;
  std::uint8_t sequence_ = 0;
  std::int64_t repeated_ = 0;
  std::int64_t bytes_ = 0;   ///< received
  std::int64_t frames_ = 0;  ///< of them, whole
};

}  // namespace trimtab
