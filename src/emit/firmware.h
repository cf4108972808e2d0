#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "emit/elf.h"
#include "program/kernels.h"
#include "target/target.h"

namespace trimtab {

/// The target with as much flash and RAM as its emulated board has, if that is more: to measure an image that misses
/// the target's.
[[nodiscard]] Target with_memory_of_board(Target target);

/// The micro:bit as a target, for programs for Armv6-M: its core faults on all that an Armv6-M faults on. Nothing where
/// the target has another core.
[[nodiscard]] std::optional<Target> small_board(const Target& target);

/// The parts of a firmware image.
struct FirmwareSources {
  std::vector<std::filesystem::path> sources;              ///< C++ or assembly; one brings main() unless `program_name`
  std::vector<std::filesystem::path> include_directories;  ///< beside the runtime's and the firmware's own
  std::vector<std::string> definitions;                    ///< NAME=VALUE
  /// Adds the harness that runs the emitted program of that name (firmware/harness.cpp): the sources export
  /// `void* NAME_input(void)`, `void NAME_run(void)` and `const void* NAME_output(void)`.
  std::string program_name;
  /// Rows of an input that is pushed: the sources export `void* NAME_next_row(void)` and `int NAME_push_row(void)` in
  /// place of the first two. 0: it is whole.
  std::int32_t pushed_rows = 0;
  std::size_t points = 1;  ///< its operating points; with several it exports `int NAME_set_operating_point(int)`
};

struct BuildResult {
  std::filesystem::path elf;
  ImageSize size;  ///< read_image_symbols(elf) tells more
};

/// The shared object of a program for Linux, which build_firmware() makes beside the process that runs it.
[[nodiscard]] std::filesystem::path shared_object_of(const std::filesystem::path& elf, const std::string& program_name);

/// Compiles and links an image for the target's emulated board, with exactly the target's flash and RAM (at the
/// addresses the board has them), start-up code and at least 512 bytes left for the stack; or, for a processor under
/// Linux, a process, and of a program its shared object, whose size is the result's. Throws Error: (bad input) naming
/// the package where the compiler is not installed; (bound not met) with the missing bytes where the image does not
/// fit; (failure) with the compiler's first complaint where it does not compile.
[[nodiscard]] BuildResult build_firmware(const FirmwareSources& sources, const Target& target, Optimize optimize,
                                         const std::filesystem::path& elf);

}  // namespace trimtab
