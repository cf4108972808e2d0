#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "emit/board/link.h"
#include "measure/score.h"
#include "program/program.h"

namespace trimtab {

/// Cycles of an inference over the samples.
struct BoardCycles {
  std::int64_t least = 0;
  double mean = 0;
  std::int64_t most = 0;
};

/// What a board answered to samples, held against this machine.
struct Validation {
  BoardInfo board;
  Score score;  ///< of the board's own answers
  std::int64_t samples = 0;
  std::int64_t differing_samples = 0;
  std::int64_t differing_numbers = 0;
  std::optional<std::int64_t> first_differing;  ///< sample
  std::optional<BoardCycles> cycles;            ///< nothing where the board has no counter
  std::vector<double> layer_cycles;             ///< mean by step; empty where they are not counted
  std::int64_t repeated = 0;                    ///< requests that had to be sent again
};

/// Runs the samples on the board at an operating point and holds every number of every answer against the host's.
/// Throws Error: (bad input) where the board runs another network, (failure) where it falls silent.
[[nodiscard]] Validation validate_on_board(const Program& program, std::size_t point, const Dataset& data,
                                           const Task& task, BoardLink& link);

}  // namespace trimtab
