// Executed instructions of the four networks of the kernel table (results/kernels.md) on any emulated core, on request
// layer by layer:
//     bench_cores TARGET [--bits B] [--activation-bits A] [--size] [--layers] [NET ...]

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>

#include "base/error.h"
#include "base/units.h"
#include "emit/explain.h"
#include "emit/recipe.h"
#include "networks.h"

namespace trimtab {
namespace {

void print(const std::string& name, std::int64_t products, const Deployment& measured) {
  fmt::print("{:14} {:>12} instructions, {:5.2f} per MAC ({:>10}), arena {:>6}, stack {:>4}, text {:>6}{}\n", name,
             format_count(measured.instructions()), double(measured.instructions()) / double(products),
             format_count(products), measured.arena_bytes, measured.stack_bytes, measured.image.text,
             measured.mismatches == 0 ? "" : fmt::format(", {} WRONG", measured.mismatches));
  std::fflush(stdout);
}

int run(std::span<char*> arguments) {
  Bits bits;
  bool layers = false;
  Optimize optimize = Optimize::speed;
  const Target target = load_target(arguments.size() > 1 ? arguments[1] : "cortex-m3");
  std::vector<std::string> chosen;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string argument = arguments[i];
    if (argument == "--layers") {
      layers = true;
    } else if (argument == "--size") {
      optimize = Optimize::size;
    } else if (argument == "--bits") {
      bits.weights = std::stoi(arguments[++i]);
    } else if (argument == "--activation-bits") {
      bits.activations = std::stoi(arguments[++i]);
    } else {
      chosen.push_back(argument);
    }
  }
  for (const TableNetwork& network : table_networks()) {
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), network.name) == chosen.end()) continue;
    const Program program = network.make(bits);
    print(network.name, multiply_accumulates(program), measure(program, target, optimize));
    if (!layers) continue;
    const Schedule plan = schedule(program, core_of(target), optimize);
    fmt::print("{}\n", describe_costs(program, plan, target, measure_steps(program, plan, target)));
  }
  return 0;
}

}  // namespace
}  // namespace trimtab

int main(int count, char** arguments) {
  try {
    return trimtab::run({arguments, static_cast<std::size_t>(count)});
  } catch (const trimtab::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
