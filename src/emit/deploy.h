#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emit/elf.h"
#include "program/program.h"
#include "program/schedule.h"
#include "target/cycles.h"
#include "target/target.h"

namespace trimtab {

/// What a program takes on a target, measured on its linked image.
struct Deployment {
  ImageSize image;
  std::int64_t arena_bytes = 0;
  std::int64_t stack_bytes = 0;         ///< most that a run used; 0 where it was not run
  std::int64_t instructions = 0;        ///< of one inference, the most over the samples; 0 where it was not run
  std::int64_t samples = 0;             ///< that were run and compared
  std::int64_t mismatches = 0;          ///< outputs (numbers, not samples) that differ from the host's
  std::optional<CycleEstimate> cycles;  ///< of one inference, where they were estimated (emit/explain.h)

  [[nodiscard]] std::int64_t flash_bytes() const { return image.flash(); }
  [[nodiscard]] std::int64_t ram_bytes() const { return image.static_ram() + stack_bytes; }
};

/// Writes the program's sources into `folder`, builds the image firmware.elf there and runs it in the emulator on
/// `inputs` (raw input bytes of some samples, one after the other; none: only build), comparing every output number
/// with `expected`, the host's. Throws what build_firmware() and run_firmware() throw.
[[nodiscard]] Deployment deploy(const Program& program, const Target& target, Optimize optimize,
                                const std::string& name, std::span<const std::uint8_t> inputs,
                                std::span<const std::int32_t> expected, const std::filesystem::path& folder);

/// What each step executes on the target's emulated board, by step; a pool that runs with the convolution before it has
/// nothing of its own. `input`: one sample. Throws as deploy() and profile_firmware().
[[nodiscard]] std::vector<std::vector<ExecutedBlock>> profile_steps(const Program& program, const Target& target,
                                                                    Optimize optimize,
                                                                    std::span<const std::uint8_t> input);

}  // namespace trimtab
