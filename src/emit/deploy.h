#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emit/elf.h"
#include "emit/emulator.h"
#include "program/program.h"
#include "program/schedule.h"
#include "target/cycles.h"
#include "target/target.h"

namespace trimtab {

/// The cost of a program on a target, measured on its linked image.
struct Deployment {
  ImageSize image;
  std::int64_t arena_bytes = 0;
  std::int64_t stack_bytes = 0;  ///< most that a run used; 0 where it was not run
  /// By operating point: of one inference, the most over the samples; empty where it was not run.
  std::vector<std::int64_t> point_instructions;
  std::optional<PushInstructions> pushes;  ///< where rows are pushed and it was run
  std::int64_t samples = 0;                ///< that were run and compared, each at all points
  std::int64_t mismatches = 0;             ///< outputs (numbers, not samples) that differ from the host's
  /// Of the samples: run on the micro:bit, too, whose core faults on what an Armv6-M faults on; 0 where the program
  /// does not fit its 16 KB of RAM and 256 KB of flash, or is for another architecture.
  std::int64_t armv6m_samples = 0;
  std::optional<CycleEstimate> cycles;  ///< of one inference, where they were estimated (emit/explain.h)
  /// The same at the clocks of the target's power, in their order; empty where it has none, or none were estimated.
  std::vector<CycleEstimate> clock_cycles;

  [[nodiscard]] std::int64_t flash_bytes() const { return image.flash(); }
  [[nodiscard]] std::int64_t ram_bytes() const { return image.static_ram() + stack_bytes; }
  /// The operating point that takes the most instructions.
  [[nodiscard]] std::size_t dearest_point() const;
  /// Of one inference at the dearest operating point; 0 where it was not run.
  [[nodiscard]] std::int64_t instructions() const;
};

/// The host's results that a device's are compared with: of all operating points, one after the other, each of all
/// `samples` in `inputs` (raw bytes, one after the other).
[[nodiscard]] std::vector<std::int32_t> host_outputs(const Program& program, std::span<const std::uint8_t> inputs,
                                                     std::int64_t samples);

/// The numbers of one output as it lies in a device's memory, in the order of ProgramRunner::run().
[[nodiscard]] std::vector<std::int32_t> device_numbers(const Program& program, std::span<const std::uint8_t> output);

/// Writes the program's sources and a self-test of the inputs into `folder`, builds the image firmware.elf there and
/// runs it in the emulator on `inputs` (raw input bytes of some samples, one after the other; none: only build) at
/// every operating point, comparing every output number with `expected`, as host_outputs() gives them. `schedule` is
/// for the target's core. Throws what build_firmware() and run_firmware() throw.
[[nodiscard]] Deployment deploy(const Program& program, const Schedule& schedule, const Target& target,
                                const std::string& name, std::span<const std::uint8_t> inputs,
                                std::span<const std::int32_t> expected, const std::filesystem::path& folder);

/// The instructions of each step on the target's emulated board at an operating point, by step; a pool that runs with
/// the convolution before it has nothing of its own. `input`: one sample. Throws as deploy() and profile_firmware().
[[nodiscard]] std::vector<std::vector<ExecutedBlock>> profile_steps(const Program& program, const Schedule& schedule,
                                                                    const Target& target,
                                                                    std::span<const std::uint8_t> input,
                                                                    std::size_t point = 0);

}  // namespace trimtab
