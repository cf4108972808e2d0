#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/power.h"

namespace trimtab {

/// Processors that programs are emitted for.
enum class Processor {
  cortex_m0plus,
  cortex_m3,
  cortex_m4,
  cortex_m7,
  cortex_m33,
  cortex_m55,
  cortex_a7,
  cortex_a15,
  cortex_a53,
  cortex_a55,
  cortex_a72,
  cortex_a76,
  rv32imc
};

/// "cortex-m4" and so on, as the compiler's -mcpu names it; an instruction set of RISC-V as its -march does.
[[nodiscard]] std::string_view name_of(Processor processor);

/// A number of a target and where it comes from.
struct Sourced {
  std::int64_t value = 0;
  std::string source;
};

/// Caches in front of the flash.
struct FlashCache {
  std::int64_t instruction_lines = 0;
  std::int64_t data_lines = 0;
  std::int64_t line_bytes = 0;
  bool prefetches = false;  ///< instructions that follow, as the maker's start-up code sets it
  std::string source;
};

/// A microcontroller or an application processor, read from targets/NAME.toml. Programs of the latter lie in RAM, which
/// is its flash as well.
struct Target {
  std::string name;
  std::string description;
  Processor processor = Processor::cortex_m4;
  std::string fpu;            ///< the compiler's -mfpu, or empty where the core has none
  Sourced clock_hz;           ///< highest clock of the core
  Sourced flash_bytes;        ///< for the program
  Sourced ram_bytes;          ///< for the program
  Sourced flash_wait_states;  ///< of a flash access at that clock, caches and prefetchers aside
  Sourced flash_read_bytes;   ///< that such an access brings at once; 4 where the description does not say
  std::optional<FlashCache> flash_cache;
  std::optional<Power> power;  ///< where its energy is known
  std::string emulated_board;  ///< what stands in for it: a machine of QEMU such as mps2-an386, or qemu-aarch64
};

/// Reads the target of that name, or the file where `name` is a path that ends in .toml. Throws Error (bad input),
/// naming the known targets where there is none of that name, and the key where a file lacks one or holds nonsense.
[[nodiscard]] Target load_target(const std::string& name);

/// The target while it runs at a clock of its power: that clock, and the wait states of its flash there.
[[nodiscard]] Target at_clock(Target target, const PowerClock& clock);

/// Names of the descriptions in targets/, sorted.
[[nodiscard]] std::vector<std::string> target_names();

}  // namespace trimtab
