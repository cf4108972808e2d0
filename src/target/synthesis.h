#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace trimtab {

struct SynthesisOptions {
  std::filesystem::path sources;  ///< folder of .sv files
  std::filesystem::path liberty;
  std::chrono::milliseconds limit = std::chrono::minutes(5);
};

/// Maps the module `top` to the gates of a library with yosys and abc, flat, and returns the netlist as yosys'
/// write_json gives it. Flip-flops stay yosys' own $_DFF_P_ and $_DFFE_PP_, so that a clock enable remains one (a
/// library's plain flip-flops would turn it into a multiplexer, and no clock could be gated). Modules are mapped one by
/// one and flattened afterwards: what occurs many times is mapped once. Throws Error: (bad input) where yosys or abc is
/// not installed; (failure), with yosys' own words, where it refuses, and where it does not end in time.
[[nodiscard]] std::string synthesize(const std::string& top, const SynthesisOptions& options);

}  // namespace trimtab
