#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "program/kernels.h"
#include "target/target.h"

namespace trimtab {

/// Compilers of one instruction set. Every program for it is built by them.
struct Toolchain {
  std::string_view compiler;  ///< of C++, found on PATH
  std::string_view hint;      ///< how to install it
  /// Whether programs are processes of Linux, with the C library's files, rather than images for a bare core.
  bool is_linux = false;
  std::array<std::string_view, 2> flags{};  ///< of every program, beside those of all toolchains; or empty
  /// Whether -mfloat-abi and -mfpu choose how an image passes floating-point numbers, as Arm's compilers do.
  bool has_float_abi = false;
  /// The option by which its compiler finds a C library, or empty. A firmware has a library of its own.
  std::string_view library{};
};

/// An emulated board, or an emulator of processes: `emulated_board` of a target.
struct Machine {
  std::string_view name;
  std::string_view emulator;  ///< a program of QEMU
  std::string_view package;   ///< that has it
  /// Of the counter in firmware/board.h. 0: instructions are counted by a plugin, as for all processes.
  std::int64_t counter_hz = 0;
  std::int64_t memory_bytes = 0;                ///< that it has for code, and for data; 0: as much as its target
  std::array<std::string_view, 2> arguments{};  ///< of the emulator, beside those of all boards; or empty
};

/// Which compiler's options, kernels and emulated processor belong to a processor.
struct ProcessorTraits {
  Core core = Core::generic;
  const Toolchain* toolchain = nullptr;
  std::vector<std::string> flags;  ///< of the whole program, -mcpu or -march among them
  std::string_view emulated_as{};  ///< what an emulator of processes calls it, or the nearest that it has
  int issue_width = 1;             ///< instructions that it starts in a cycle at most
};

/// The row of a processor. A new core is a row here, its name in target.cpp and a file in targets/.
[[nodiscard]] const ProcessorTraits& traits_of(Processor processor);

/// The machine that stands in for a target. Throws Error (bad input) where there is none of that name.
[[nodiscard]] const Machine& machine_of(const Target& target);

}  // namespace trimtab
