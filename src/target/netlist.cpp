#include "target/netlist.h"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.h"

namespace trimtab {
namespace {

using nlohmann::json;

/// Small consecutive numbers for yosys' bits.
class Nets {
 public:
  NetId operator()(const json& bit) {
    if (bit.is_string()) return bit.get<std::string>() == "1" ? 1 : 0;  // "x" and "z" may be anything
    const auto [entry, is_new] = ids_.emplace(bit.get<std::int64_t>(), count_);
    if (is_new) ++count_;
    return entry->second;
  }
  [[nodiscard]] NetId count() const { return count_; }

 private:
  std::unordered_map<std::int64_t, NetId> ids_;
  NetId count_ = 2;
};

NetId connection(const json& cell, const std::string& name, const std::string& pin, Nets& nets) {
  const json& bits = cell.at("connections").value(pin, json::array());
  if (bits.size() != 1) throw failure("the netlist's cell {} has no pin {}", name, pin);
  return nets(bits[0]);
}

Netlist::Gate read_gate(const json& cell, const std::string& name, const LibertyCell& type, Nets& nets) {
  Netlist::Gate gate;
  gate.cell = &type;
  for (const LibertyPin& pin : type.pins) {
    const NetId net = connection(cell, name, pin.name, nets);
    if (!pin.is_output) {
      gate.inputs.push_back(net);
    } else if (gate.output >= 0) {
      throw failure("the netlist's cell {} is a {}, a gate of several outputs, which is not understood", name,
                    type.name);
    } else {
      gate.output = net;
    }
  }
  return gate;
}

Netlist read(const json& module, const std::string& top, const std::string& clock, const GateLibrary& library) {
  Netlist netlist;
  netlist.top = top;
  Nets nets;
  const NetId clock_net = nets(module.at("ports").at(clock).at("bits").at(0));
  for (const auto& [name, port] : module.at("ports").items()) {
    if (name == clock) continue;
    std::vector<NetId>& bits = (port.at("direction") == "input" ? netlist.inputs : netlist.outputs)[name];
    for (const json& bit : port.at("bits")) bits.push_back(nets(bit));
  }
  for (const auto& [name, cell] : module.at("cells").items()) {
    const std::string type = cell.at("type").get<std::string>();
    if (type == "$_DFF_P_" || type == "$_DFFE_PP_") {
      if (connection(cell, name, "C", nets) != clock_net) throw failure("the flip-flop {} has another clock", name);
      netlist.flip_flops.push_back({connection(cell, name, "D", nets), connection(cell, name, "Q", nets),
                                    type == "$_DFF_P_" ? NetId{-1} : connection(cell, name, "E", nets)});
      continue;
    }
    const auto found = library.cells.find(type);
    if (found == library.cells.end() || found->second.output() == nullptr || !found->second.clock.empty()) {
      throw failure("the netlist's cell {} is a {}, which is no gate of the library {}", name, type, library.name);
    }
    netlist.gates.push_back(read_gate(cell, name, found->second, nets));
  }
  netlist.nets = nets.count();
  return netlist;
}

}  // namespace

Netlist parse_netlist(std::string_view json, const std::string& top, const std::string& clock,
                      const GateLibrary& library) {
  try {
    return read(nlohmann::json::parse(json).at("modules").at(top), top, clock, library);
  } catch (const nlohmann::json::exception& error) {
    throw failure("the netlist of {} is not as yosys writes one: {}", top, error.what());
  }
}

}  // namespace trimtab
