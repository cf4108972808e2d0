// The table of application processors, with one command:
//     bench_cortex_a [FOLDER]
// counts the instructions of two networks on emulated Cortex-A cores, one thread, at all bit-widths, against XNNPACK's,
// compares every number with the portable kernels on this machine, and writes FOLDER/cortex-a.json and
// FOLDER/cortex-a.md (results/).

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "emit/explain.h"
#include "emit/recipe.h"
#include "networks.h"

namespace trimtab {
namespace {

using Json = nlohmann::ordered_json;

/// XNNPACK's int8 convolutions (Debian 12's libxnnpack0 of 2022-02-16, one thread), counted in the same emulator:
/// instructions of all convolutions, by core and network.
const std::map<std::string, std::map<std::string, std::int64_t>> xnnpack{
    {"cortex-a53", {{"resnet8", 4'219'118}, {"mobilenet_v1", 168'131'180}}},
    {"cortex-a76", {{"resnet8", 1'496'494}, {"mobilenet_v1", 68'878'060}}}};

/// Instructions of the convolutions of one inference, and by kernel.
struct Convolutions {
  std::int64_t instructions = 0;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> by_kernel;  // instructions, products
};

Convolutions count_convolutions(const Program& program, const Schedule& plan, const Target& target) {
  Convolutions counted;
  const std::vector<StepCost> costs = measure_steps(program, plan, target);
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    if (!std::holds_alternative<ConvolutionStep>(program.steps[s].operation)) continue;
    counted.instructions += costs[s].instructions;
    auto& [instructions, products] = counted.by_kernel[plan.kernels[s].name];
    instructions += costs[s].instructions;
    products += program.steps[s].multiply_accumulates();
  }
  return counted;
}

/// Without the lowest number of a width, which symmetric grids do not have.
Program with_symmetric_weights(Program program) {
  for (Step& step : program.steps) {
    auto* const convolution = std::get_if<ConvolutionStep>(&step.operation);
    if (convolution == nullptr) continue;
    const int lowest = -(1 << (convolution->convolution.weight_bits - 1));
    for (std::int16_t& weight : convolution->weights)
      weight = static_cast<std::int16_t>(std::max<int>(weight, lowest + 1));
  }
  return program;
}

Json run(const TableNetwork& network, const std::string& target_name, int bits) {
  const Target target = load_target(target_name);
  const Program program = with_symmetric_weights(network.make({bits, 8}));
  const Schedule plan = schedule(program, core_of(target));
  const Deployment deployment = measure(program, plan, target);
  const Convolutions convolutions = count_convolutions(program, plan, target);
  if (deployment.mismatches > 0) {
    throw failure("{} at {} bits on {}: {} numbers differ", network.name, bits, target_name, deployment.mismatches);
  }
  Json kernels;
  for (const auto& [name, counts] : convolutions.by_kernel) {
    kernels[name] = {{"instructions", counts.first},
                     {"per_product", static_cast<double>(counts.first) / static_cast<double>(counts.second)}};
  }
  fmt::print("{} {} bits {}: {} convolutions {}\n", network.name, bits, target_name, deployment.instructions(),
             convolutions.instructions);
  std::fflush(stdout);
  return {{"network", network.name},
          {"target", target_name},
          {"weight_bits", bits},
          {"instructions", deployment.instructions()},
          {"convolutions", convolutions.instructions},
          {"flash_bytes", deployment.flash_bytes()},
          {"ram_bytes", deployment.ram_bytes()},
          {"kernels", kernels}};
}

std::string millions(std::int64_t count) { return fmt::format("{:.2f}", static_cast<double>(count) / 1e6); }

std::string markdown(const Json& runs) {
  std::string text =
      "# Instructions of networks on application processors\n\nMade by `scripts/results-cortex-a`. Millions of "
      "executed "
      "instructions of one inference, one thread, in qemu-user with a counting plugin.\nRandom weights, weights of 8 "
      "bits "
      "unless the table says more, activations of 8 bits. Every output number of two samples equals the portable "
      "kernels' "
      "on the host.\nInstructions do not rank kernels on a core: loads of several registers count as one.\n\n"
      "XNNPACK: int8 per channel, Debian 12's package of February 2022, its convolutions alone.\n\n"
      "| network | core | convolutions | XNNPACK | ratio | whole network | shared object | RAM "
      "|\n|---|---|---|---|---|---|---|---|\n";
  for (const Json& run : runs) {
    if (run.at("weight_bits") != 8) continue;
    const auto rival = xnnpack.find(run.at("target").get<std::string>());
    const auto convolutions = run.at("convolutions").get<std::int64_t>();
    std::string theirs;
    std::string ratio;
    if (rival != xnnpack.end()) {
      const std::int64_t count = rival->second.at(run.at("network").get<std::string>());
      theirs = millions(count);
      ratio = fmt::format("{:.2f}", static_cast<double>(convolutions) / static_cast<double>(count));
    }
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} KB | {} KB |\n", run.at("network").get<std::string>(),
                    run.at("target").get<std::string>(), millions(convolutions), theirs, ratio,
                    millions(run.at("instructions").get<std::int64_t>()),
                    run.at("flash_bytes").get<std::int64_t>() / 1024, run.at("ram_bytes").get<std::int64_t>() / 1024);
  }
  text +=
      "\nInstructions of the convolutions at other bits, over those at 8 bits:\n\n| network | core | 2 | 3 | 4 | 5 | 6 "
      "| 7 |\n|---|---|---|---|---|---|---|---|\n";
  std::map<std::pair<std::string, std::string>, std::map<int, std::int64_t>> by_bits;
  for (const Json& run : runs) {
    by_bits[{run.at("network"), run.at("target")}][run.at("weight_bits")] = run.at("convolutions");
  }
  for (const auto& [key, counts] : by_bits) {
    if (counts.size() < 2) continue;
    text += fmt::format("| {} | {} |", key.first, key.second);
    for (int bits = 2; bits < 8; ++bits) {
      const auto count = counts.find(bits);
      text += count == counts.end()
                  ? std::string(" |")
                  : fmt::format(" {:.3f} |", static_cast<double>(count->second) / static_cast<double>(counts.at(8)));
    }
    text += "\n";
  }
  text +=
      "\nThe kernels at 8 bits, in instructions per product:\n\n| network | core | kernel | instructions | per product "
      "|\n|---|---|---|---|---|\n";
  for (const Json& run : runs) {
    if (run.at("weight_bits") != 8) continue;
    for (const auto& [name, counts] : run.at("kernels").items()) {
      text +=
          fmt::format("| {} | {} | `{}` | {} | {:.3f} |\n", run.at("network").get<std::string>(),
                      run.at("target").get<std::string>(), name,
                      millions(counts.at("instructions").get<std::int64_t>()), counts.at("per_product").get<double>());
    }
  }
  return text;
}

/// The larger network has the widths that take the least and the most instructions to decode.
std::vector<int> bits_of(const std::string& network) {
  return network == "resnet8" ? std::vector<int>{8, 7, 6, 5, 4, 3, 2} : std::vector<int>{8, 7, 4};
}

void run(const std::filesystem::path& folder, const std::string& only) {
  Json runs = Json::array();
  for (const TableNetwork& network : application_networks()) {
    if (!only.empty() && network.name != only) continue;
    for (const std::string target : {"cortex-a53", "cortex-a76", "cortex-a15"}) {
      for (const int bits : bits_of(network.name)) runs.push_back(run(network, target, bits));
    }
  }
  write_file(folder / "cortex-a.json",
             Json{{"command", "bench_cortex_a"}, {"runs", runs}, {"version", TRIMTAB_VERSION}}.dump(1) + "\n");
  write_file(folder / "cortex-a.md", markdown(runs));
}

}  // namespace
}  // namespace trimtab

int main(int count, char** arguments) {
  try {
    trimtab::run(count > 1 ? arguments[1] : "results", count > 2 ? arguments[2] : "");
    return 0;
  } catch (const trimtab::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
