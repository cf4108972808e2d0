#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "target/target.h"

namespace trimtab {

/// Instructions that a run executed one after the other, the last of which may jump.
struct ExecutedBlock {
  std::uint32_t address = 0;
  std::int64_t bytes = 0;
  std::vector<std::uint32_t> opcodes;  ///< Thumb; those of 32 bits with the first half word on top
  std::int64_t runs = 0;
  std::int64_t entered = 0;      ///< of the runs: by a jump
  std::int64_t left = 0;         ///< of the runs: by a jump
  std::int64_t flash_lines = 0;  ///< loads that read another 16 bytes of the flash than the load before
};

/// An estimate of the cycles on the real core. The truth lies between the two where the chip has a cache or prefetcher.
struct CycleEstimate {
  double without_waits = 0;  ///< instructions and constants come without wait states: from a cache that holds them
  double with_waits = 0;     ///< every line of the flash that is not the one just read takes the wait states
};

/// The model of the estimate, in a sentence. Empty where the processor has no estimate.
[[nodiscard]] std::string cycle_model(Processor processor);

/// Cycles of what was executed, on the target: by instruction from Arm's timing tables where Arm publishes one
/// (Cortex-M0+, M3, M4), else the Cortex-M4's scaled by CoreMark per MHz (M7, M33). Nothing for the Cortex-M55.
/// O(instructions of the blocks).
[[nodiscard]] std::optional<CycleEstimate> estimate_cycles(std::span<const ExecutedBlock> blocks, const Target& target);

/// Executed instructions.
[[nodiscard]] std::int64_t count_instructions(std::span<const ExecutedBlock> blocks);

}  // namespace trimtab
