#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "target/liberty.h"

namespace trimtab {

using NetId = std::int32_t;

/// A mapped circuit with one clock: gates of a library, and flip-flops that are loaded at every clock or only where
/// their enable is 1 (clock gating: what drives the enable stops their clock).
struct Netlist {
  struct Gate {
    const LibertyCell* cell = nullptr;
    std::vector<NetId> inputs;  ///< in the order of the cell's input pins
    NetId output = -1;
  };
  struct FlipFlop {
    NetId data = -1;
    NetId output = -1;
    NetId enable = -1;  ///< -1: always
  };

  std::string top;
  NetId nets = 0;                                    ///< net 0 is constant 0, net 1 constant 1
  std::map<std::string, std::vector<NetId>> inputs;  ///< ports, lowest bit first; without the clock
  std::map<std::string, std::vector<NetId>> outputs;
  std::vector<Gate> gates;
  std::vector<FlipFlop> flip_flops;
};

/// Reads what yosys' write_json says of the flat module `top`, whose flip-flops are $_DFF_P_ and $_DFFE_PP_ cells of
/// the input `clock` and whose gates are cells of `library`, which must outlive the netlist. Throws Error (failure),
/// naming the cell, for anything else.
[[nodiscard]] Netlist parse_netlist(std::string_view json, const std::string& top, const std::string& clock,
                                    const GateLibrary& library);

}  // namespace trimtab
