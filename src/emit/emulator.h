#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "target/cycles.h"
#include "target/target.h"

namespace trimtab {

/// The result of an image in the emulator.
struct ImageRun {
  int exit_code = 0;   ///< of its main(); 125: a fault of the core
  std::string output;  ///< what it printed
};

/// Runs an image on the target's emulated board, files of the image in `directory`, with further arguments of the
/// emulator. Every instruction takes 128 ns of the emulator's clock. Throws Error: (bad input) naming the package where
/// the emulator is not installed, (failure) where the image does not end within the limit.
[[nodiscard]] ImageRun run_image(const std::filesystem::path& elf, const Target& target,
                                 const std::filesystem::path& directory,
                                 std::chrono::milliseconds limit = std::chrono::minutes(10),
                                 const std::vector<std::string>& arguments = {});

/// Executed instructions that passed while the board's counter (firmware/board.h) went on by so many ticks.
[[nodiscard]] std::int64_t instructions_of_ticks(const Target& target, std::int64_t ticks);

/// What the pushes of a sample's rows took: the most over samples and points.
struct PushInstructions {
  std::int64_t longest = 0;
  std::int64_t last = 0;  ///< that of the last row, after which the output is ready
};

struct EmulatorRun {
  std::vector<std::uint8_t> outputs;                ///< of all samples, one after the other, each at all points
  std::int64_t least_instructions = 0;              ///< of one inference, over samples and points
  std::vector<std::int64_t> greatest_instructions;  ///< by operating point: of one inference, over the samples
  PushInstructions pushes;                          ///< of a program that takes rows; else both are of the inference
  std::int64_t stack_bytes = 0;                     ///< of the inference, by painting
};

/// The blocks that a program executed after the mark before it and up to each of its marks: calls of
/// NAME_after_layer(), which the harness makes before a run or a push and the program after every step where it is
/// built with NAME_PROFILE, the harness with TRIMTAB_PROFILE. One sample at one operating point. Throws Error as
/// run_image(), and (failure) where the emulator cannot load plugins.
[[nodiscard]] std::vector<std::vector<ExecutedBlock>> profile_firmware(
    const std::filesystem::path& elf, const Target& target, std::span<const std::uint8_t> input,
    std::int64_t output_bytes, std::int64_t point = 0, std::chrono::milliseconds limit = std::chrono::minutes(30));

/// Runs a program that build_firmware() linked with the harness over `inputs`, whose size is a multiple of
/// `input_bytes`, every sample at all `points` operating points. Counts are exact and the same on every machine; they
/// hold the call and the reading of the counter. Throws Error as run_image(), and (failure) where the core faults or
/// the stack runs into the data.
[[nodiscard]] EmulatorRun run_firmware(const std::filesystem::path& elf, const Target& target,
                                       std::span<const std::uint8_t> inputs, std::int64_t input_bytes,
                                       std::int64_t output_bytes, std::int64_t points = 1,
                                       std::chrono::milliseconds limit = std::chrono::minutes(60));

}  // namespace trimtab
