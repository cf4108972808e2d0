// The kernel table, with one command:
//     bench_kernels [FOLDER]
// measures the four networks on the emulated Cortex-M4, M3 and M55 at all bit-widths, with activations of 4 bits and in
// the size setting (M4), estimates cycles of the real M4 and M7, and writes FOLDER/kernels.json and
// FOLDER/kernels.md (results/).

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "emit/explain.h"
#include "emit/recipe.h"
#include "networks.h"
#include "program/pack.h"
#include "program/schedule.h"

namespace trimtab {
namespace {

using Json = nlohmann::ordered_json;

const std::map<std::string, std::string> targets{{"M4", "stm32f412"}, {"M3", "cortex-m3"}, {"M55", "cortex-m55"}};

/// The costs of others, and the goals: instructions in millions, RAM in bytes. The
/// peers' were measured on the same emulated cores with the best flags of each (CMSIS-NN of July 2026; TinyEngine).
struct Aim {
  double m4_peer, m4, m3_peer, m3, m55_peer;
  std::int64_t ram_peer, ram;
};
const std::map<std::string, Aim> aims{{"resnet8", {28.6, 14.0, 41.8, 26.0, 4.81, 49728, 42 << 10}},
                                      {"dscnn", {7.39, 3.7, 10.5, 6.6, 1.78, 16000, 15 << 10}},
                                      {"vww", {19.8, 11.0, 32.1, 20.0, 6.42, 55296, 48 << 10}},
                                      {"cifar10_cnn", {15.3, 7.5, 21.9, 13.5, 2.60, 40960, 30 << 10}}};
/// Million cycles of others on the NUCLEO-L4R5ZI: 120 MHz over the inferences per second that MLPerf Tiny's closed
/// division published (mlcommons/tiny_results_v1.1: Plumerai, Krai's microTVM with CMSIS-NN; v1.2: STMicroelectronics,
/// Bosch).
struct Silicon {
  double st, plumerai, bosch, micro_tvm;
};
const std::map<std::string, Silicon> silicon{{"resnet8", {19.82, 20.13, 21.66, 46.75}},
                                             {"dscnn", {5.18, 5.73, 7.22, 11.98}},
                                             {"vww", {10.67, 11.85, 21.66, 36.1}}};
constexpr double m55_resnet8 = 4.5;
constexpr double most_bits_ratio = 1.10;
constexpr double most_activations_ratio = 1.25;
constexpr double most_size_ratio = 1.5;
constexpr double most_packed_ratio = 1.02;
constexpr double most_arena_ratio = 1.02;
constexpr std::int64_t most_text = 16 << 10;
constexpr std::int64_t most_text_size = 9 << 10;

struct Run {
  Deployment deployment;
  std::int64_t packed_bytes = 0;
  double weight_bytes = 0;  ///< bits * weights / 8

  [[nodiscard]] double packed_ratio() const { return static_cast<double>(packed_bytes) / weight_bytes; }
};

Run run_network(const TableNetwork& network, const Target& target, const Bits& bits, Optimize optimize,
                const ScheduleLimits& limits) {
  const Program program = network.make(bits);
  Run run;
  const Schedule plan = schedule(program, core_of(target), optimize, limits);
  run.deployment = measure(program, plan, target);
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    if (const auto* step = std::get_if<ConvolutionStep>(&program.steps[s].operation)) {
      run.packed_bytes += std::ssize(pack_weights(*step, plan.kernels[s].layout));
      run.weight_bytes += static_cast<double>(step->weights.size()) * bits.weights / 8;
    }
  }
  return run;
}

/// Collects the runs, and the bounds that are missed.
class Table {
 public:
  Run& add(const std::string& core, const std::string& setting, const std::string& network, Run run) {
    fmt::print("{:5} {:14} {:12} {:>11} instructions, arena {:>6}, text {:>6}, packed {:.3f}{}\n", core, setting,
               network, format_count(run.deployment.instructions()), run.deployment.arena_bytes,
               run.deployment.image.text, run.packed_ratio(), run.deployment.mismatches == 0 ? "" : ", WRONG");
    std::fflush(stdout);
    require(run.deployment.mismatches == 0, fmt::format("{} on {} with {}: wrong results", network, core, setting));
    return runs_[{core, setting, network}] = run;
  }
  [[nodiscard]] const Run& at(const std::string& core, const std::string& setting, const std::string& network) const {
    return runs_.at({core, setting, network});
  }
  [[nodiscard]] double ratio(const std::string& core, const std::string& setting, const std::string& network) const {
    return static_cast<double>(at(core, setting, network).deployment.instructions()) /
           static_cast<double>(at(core, "weights 8", network).deployment.instructions());
  }
  void require(bool met, const std::string& what) {
    if (!met) missed_.push_back(what);
  }
  [[nodiscard]] const std::vector<std::string>& missed() const { return missed_; }
  [[nodiscard]] Json json() const {
    Json all;
    for (const auto& [key, run] : runs_) {
      const auto& [core, setting, network] = key;
      all[core][setting][network] = {
          {"instructions", run.deployment.instructions()}, {"arena_bytes", run.deployment.arena_bytes},
          {"stack_bytes", run.deployment.stack_bytes},     {"text_bytes", run.deployment.image.text},
          {"packed_weight_bytes", run.packed_bytes},       {"packed_ratio", run.packed_ratio()},
          {"mismatches", run.deployment.mismatches}};
    }
    return all;
  }

 private:
  std::map<std::tuple<std::string, std::string, std::string>, Run> runs_;
  std::vector<std::string> missed_;
};

constexpr Bits four_bit_activations{8, 4};

/// Weight bits that are measured.
constexpr std::array<int, 7> widths{8, 7, 6, 5, 4, 3, 2};

std::string bits_name(int bits) { return fmt::format("weights {}", bits); }
double millions(std::int64_t count) { return static_cast<double>(count) / 1e6; }

CycleEstimate estimate(const TableNetwork& network, const Target& target, const ScheduleLimits& limits = {}) {
  const Program program = network.make({});
  return sum_cycles(measure_steps(program, schedule(program, core_of(target), Optimize::speed, limits), target))
      .value();
}

/// For the arena where RAM is to spare, beyond that of whole maps.
constexpr ScheduleLimits spare_ram{.arena_bytes = 96 << 10};
constexpr const char* with_spare_ram = "96 KB";

const TableNetwork& table_network(const std::string& name) {
  return *std::find_if(table_networks().begin(), table_networks().end(),
                       [&](const TableNetwork& network) { return network.name == name; });
}

/// Of the network with 8 bits.
Schedule plan_of(const TableNetwork& network, const std::string& core) {
  return schedule(network.make({}), core_of(load_target(targets.at(core))));
}

void check(Table& table) {
  for (const auto& [network, aim] : aims) {
    const auto bound = [&, name = network](const std::string& core, const std::string& setting, double value,
                                           double most, const std::string& what) {
      table.require(value <= most, fmt::format("{} on {} with {}: {} {:.6g}, asked at most {:.6g}", name, core, setting,
                                               what, value, most));
    };
    const auto million = [&, name = network](const std::string& core) {
      return millions(table.at(core, "weights 8", name).deployment.instructions());
    };
    bound("M4", "weights 8", million("M4"), aim.m4, "million instructions");
    bound("M3", "weights 8", million("M3"), aim.m3, "million instructions");
    bound("M55", "weights 8", million("M55"), network == "resnet8" ? m55_resnet8 : aim.m55_peer,
          "million instructions");
    const Run& m4 = table.at("M4", "weights 8", network);
    bound("M4", "weights 8", static_cast<double>(m4.deployment.arena_bytes), static_cast<double>(aim.ram),
          "arena bytes");
    for (const std::string core : {"M4", "M3", "M55"}) {
      for (const int bits : widths) {
        bound(core, bits_name(bits), table.ratio(core, bits_name(bits), network), most_bits_ratio, "instruction ratio");
        bound(core, bits_name(bits), table.at(core, bits_name(bits), network).packed_ratio(), most_packed_ratio,
              "packed size ratio");
      }
    }
    for (const auto& [core, target] : targets) {
      const Schedule plan = plan_of(table_network(network), core);
      bound(core, "weights 8", static_cast<double>(plan.arena_bytes) / static_cast<double>(plan.lower_bound_bytes),
            most_arena_ratio, "arena beyond what its fullest step needs");
    }
    bound("M4", "activations 4", table.ratio("M4", "activations 4", network), most_activations_ratio,
          "instruction ratio");
    const double least = static_cast<double>(least_arena_bytes(table_network(network).make(four_bit_activations)));
    bound("M4", "activations 4", static_cast<double>(table.at("M4", "activations 4", network).deployment.arena_bytes),
          static_cast<double>(m4.deployment.arena_bytes) / 2,
          fmt::format("arena bytes (no arena takes less than {:.0f})", least));
    bound("M4", "size", table.ratio("M4", "size", network), most_size_ratio, "instruction ratio");
  }
  const auto text = [&](const std::string& setting, std::int64_t most) {
    const std::int64_t bytes = table.at("M4", setting, "resnet8").deployment.image.text;
    table.require(bytes <= most,
                  fmt::format("resnet8 on M4 with {}: {} bytes of code, asked {}", setting, bytes, most));
  };
  text("weights 8", most_text);
  text("size", most_text_size);
}

/// By target and network.
using CycleTable = std::map<std::string, std::map<std::string, CycleEstimate>>;

std::string markdown(const Table& table, const CycleTable& cycles, const CycleTable& spare_cycles) {
  std::string text =
      "# Kernels\n\nExecuted instructions of one inference in the emulator (QEMU, `-icount`), random weights of the "
      "real "
      "shapes, two samples;\nevery output number equals the portable kernels' on the host. Arena: activations and "
      "scratch memory. Text: all code of the\nlinked image, start-up and harness included. Peers: CMSIS-NN (July "
      "2026), "
      "for VWW on the M4 TinyEngine (not exact), best\nflags of each, not measured here.\n\n"
      "Command: `bench_kernels results` (8-bit weights and activations where nothing else is said).\n\n"
      "| network | MMAC | M4 peers | **M4** | asked | per MAC | peers' RAM | **arena B** | asked | text B | M3 peers | "
      "**M3** | asked | M55 peers | **M55** | asked "
      "|\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const TableNetwork& network : table_networks()) {
    const Aim& aim = aims.at(network.name);
    const Deployment& m4 = table.at("M4", "weights 8", network.name).deployment;
    const Deployment& m3 = table.at("M3", "weights 8", network.name).deployment;
    const Deployment& m55 = table.at("M55", "weights 8", network.name).deployment;
    const std::int64_t products = multiply_accumulates(network.make({}));
    text += fmt::format(
        "| {} | {:.2f} | {} M | **{:.2f} M** | {} M | {:.2f} | {} | **{}** | {} KB | {} | {} M | **{:.2f} M** | {} M | "
        "{} M "
        "| **{:.2f} M** | {} M |\n",
        network.name, millions(products), aim.m4_peer, millions(m4.instructions()), aim.m4,
        static_cast<double>(m4.instructions()) / static_cast<double>(products), aim.ram_peer, m4.arena_bytes,
        aim.ram >> 10, m4.image.text, aim.m3_peer, millions(m3.instructions()), aim.m3, aim.m55_peer,
        millions(m55.instructions()), network.name == "resnet8" ? m55_resnet8 : aim.m55_peer);
  }
  text += fmt::format(
      "\n## RAM buys time\n\nThe table above keeps to the arena that whole maps take. Here the arena may take {}. "
      "Cycles are the estimate for the NUCLEO-L4R5ZI (below).\n\n| network |",
      with_spare_ram);
  for (const std::string core : {"M4", "M3", "M55"}) text += fmt::format(" {} | arena B |", core);
  text += " L4R5 cycles | of the table's |\n|---|---|---|---|---|---|---|---|---|\n";
  for (const TableNetwork& network : table_networks()) {
    text += fmt::format("| {} |", network.name);
    for (const std::string core : {"M4", "M3", "M55"}) {
      const Deployment& run = table.at(core, with_spare_ram, network.name).deployment;
      text += fmt::format(" {:.2f} M | {} |", millions(run.instructions()), run.arena_bytes);
    }
    const double expected = spare_cycles.at("stm32l4r5").at(network.name).expected;
    text += fmt::format(" {:.2f} M | {:.2f} |\n", expected / 1e6,
                        expected / cycles.at("stm32l4r5").at(network.name).expected);
  }
  text +=
      "\n## Bits cost flash, not time\n\nInstructions relative to 8-bit weights (asked: at most 1.10), and packed "
      "bytes "
      "relative to bits x weights / 8 (asked: at most 1.02).\n\n| core | network | 7 | 6 | 5 | 4 | 3 | 2 | packed 8 | "
      "7 "
      "| 6 | 5 | 4 | 3 | 2 |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const std::string core : {"M4", "M3", "M55"}) {
    for (const TableNetwork& network : table_networks()) {
      text += fmt::format("| {} | {} |", core, network.name);
      for (int bits = 7; bits >= 2; --bits) {
        text += fmt::format(" {:.3f} |", table.ratio(core, bits_name(bits), network.name));
      }
      for (const int bits : widths)
        text += fmt::format(" {:.3f} |", table.at(core, bits_name(bits), network.name).packed_ratio());
      text += "\n";
    }
  }
  text +=
      "\n## Arenas, planned and proven\n\nBytes of the planned arena, and what its fullest step cannot do without "
      "(its inputs, its output, what later steps read, its kernel's\nscratch memory): no arrangement takes less. "
      "Asked: "
      "at most 2 % more.\n\n| network | M4 arena | needed | M3 arena | needed | M55 arena | needed "
      "|\n|---|---|---|---|---|---|---|\n";
  for (const TableNetwork& network : table_networks()) {
    text += fmt::format("| {} |", network.name);
    for (const std::string core : {"M4", "M3", "M55"}) {
      const Schedule plan = plan_of(network, core);
      text += fmt::format(" {} | {} |", plan.arena_bytes, plan.lower_bound_bytes);
    }
    text += "\n";
  }
  text +=
      "\n## Four-bit activations and the size setting, Cortex-M4\n\nRelative to 8-bit activations in the speed "
      "setting: asked at most 1.25, half the arena; at most 1.5, 9 KB of code. Bound: the most bytes that are alive "
      "between two steps, which no arena can do without.\n\n| network | activations of 4 bits | arena B | half of 8 "
      "bits' | bound | of 8 bits | size setting | text B | speed setting's |\n|---|---|---|---|---|---|---|---|---|\n";
  for (const TableNetwork& network : table_networks()) {
    const Deployment& plain = table.at("M4", "weights 8", network.name).deployment;
    const Deployment& four = table.at("M4", "activations 4", network.name).deployment;
    const Deployment& size = table.at("M4", "size", network.name).deployment;
    text += fmt::format("| {} | {:.3f} | {} | {} | {} | {:.2f} | {:.3f} | {} | {} |\n", network.name,
                        table.ratio("M4", "activations 4", network.name), four.arena_bytes, plain.arena_bytes / 2,
                        least_arena_bytes(network.make(four_bit_activations)),
                        static_cast<double>(four.arena_bytes) / static_cast<double>(plain.arena_bytes),
                        table.ratio("M4", "size", network.name), size.image.text, plain.image.text);
  }
  text +=
      "\nThe sensor's input keeps its 8 bits: VWW's alone takes more than half of the 8-bit arena. Columns are "
      "16-bit halves whatever\nthe activations have, so those of two pixels take the place of those of four where they "
      "decide the arena, at a quarter more\ninstructions there. The CNN's largest output runs over its input, of which "
      "a block of two pixels needs 16 bytes more than one of\nfour. The 9 KB are asked of ResNet-8; images with "
      "depthwise layers "
      "hold "
      "two families of kernels.\n"
      "\n## Cycles of the real cores: an estimate, not a measurement\n\nAs expected, and the span over what manuals "
      "leave open (docs/cycles.md).\n\n| network |";
  for (const auto& [name, of_networks] : cycles) text += fmt::format(" {} | ms |", name);
  text += "\n|---|";
  for (std::size_t i = 0; i < cycles.size(); ++i) text += "---|---|";
  text += "\n";
  for (const TableNetwork& network : table_networks()) {
    text += fmt::format("| {} |", network.name);
    for (const auto& [name, of_networks] : cycles) {
      const CycleEstimate& one = of_networks.at(network.name);
      const auto hz = static_cast<double>(load_target(name).clock_hz.value);
      text += fmt::format(" {:.2f} M ({:.2f} to {:.2f}) | {:.0f} |", one.expected / 1e6, one.least / 1e6,
                          one.most / 1e6, one.expected / hz * 1e3);
    }
    text += "\n";
  }
  text += "\n";
  for (const auto& [name, of_networks] : cycles) {
    const Target target = load_target(name);
    text +=
        fmt::format("- {}: {}; counts of every executed instruction from the emulator; {}; {} ({}{}{}).\n", name,
                    cycle_model(target.processor), format_frequency(static_cast<double>(target.clock_hz.value)),
                    flash_model(target), target.flash_wait_states.source, target.flash_cache.has_value() ? "; " : "",
                    target.flash_cache.has_value() ? target.flash_cache->source : "");
  }
  text +=
      "\n## On the NUCLEO-L4R5ZI, against measured rivals\n\nMillion cycles at 120 MHz. The rivals' are measured: "
      "inferences per second of MLPerf Tiny's closed division (mlcommons/tiny_results_v1.1 and v1.2).\nTheir "
      "networks have the same shapes; ST's VWW may leave out dead filters, which is allowed there. Ours is the "
      "estimate above, for all filters.\n\n"
      "| network | **Trimtab, estimated** | ST X-CUBE-AI (v1.2) | Plumerai (v1.1) | Bosch (v1.2) | microTVM with "
      "CMSIS-NN (v1.1) | of ST's |\n|---|---|---|---|---|---|---|\n";
  for (const auto& [network, rivals] : silicon) {
    const CycleEstimate& own = cycles.at("stm32l4r5").at(network);
    text += fmt::format("| {} | **{:.2f}** ({:.2f} to {:.2f}) | {} | {} | {} | {} | {:.2f} |\n", network,
                        own.expected / 1e6, own.least / 1e6, own.most / 1e6, rivals.st, rivals.plumerai, rivals.bosch,
                        rivals.micro_tvm, own.expected / 1e6 / rivals.st);
  }
  text += fmt::format("\n## Bounds that are missed\n\n{}", table.missed().empty() ? "None.\n" : "");
  for (const std::string& what : table.missed()) text += "- " + what + "\n";
  return text;
}

void run(const std::filesystem::path& folder) {
  struct Job {
    std::string core, setting;
    const TableNetwork* network;
    Bits bits;
    Optimize optimize;
    ScheduleLimits limits;
  };
  std::vector<Job> jobs;
  for (const auto& [core, name] : targets) {
    for (const TableNetwork& network : table_networks()) {
      for (const int bits : widths) jobs.push_back({core, bits_name(bits), &network, {bits, 8}, Optimize::speed, {}});
      jobs.push_back({core, with_spare_ram, &network, {8, 8}, Optimize::speed, spare_ram});
      if (core != "M4") continue;
      jobs.push_back({core, "activations 4", &network, four_bit_activations, Optimize::speed, {}});
      jobs.push_back({core, "size", &network, {8, 8}, Optimize::size, {}});
    }
  }
  Table table;
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < jobs.size(); i = next++) {
      const Job& job = jobs[i];
      Run one = run_network(*job.network, load_target(targets.at(job.core)), job.bits, job.optimize, job.limits);
      const std::lock_guard lock(mutex);
      table.add(job.core, job.setting, job.network->name, one);
    }
  };
  std::future<void> other = std::async(std::launch::async, work);
  work();
  other.get();
  check(table);
  CycleTable cycles;
  CycleTable spare_cycles;
  Json json_cycles;
  for (const std::string name : {"stm32f412", "stm32l4r5", "stm32f767", "cortex-m3"}) {
    const Target target = load_target(name);
    json_cycles[name]["model"] = cycle_model(target.processor);
    for (const TableNetwork& network : table_networks()) {
      const CycleEstimate one = cycles[name][network.name] = estimate(network, target);
      Json& estimated = json_cycles[name][network.name];
      add_cycles(estimated, one);
    }
  }
  const Target board = load_target("stm32l4r5");
  for (const TableNetwork& network : table_networks()) {
    const CycleEstimate one = spare_cycles[board.name][network.name] = estimate(network, board, spare_ram);
    add_cycles(json_cycles[board.name + " with " + with_spare_ram][network.name], one);
  }
  Json macs;
  for (const TableNetwork& network : table_networks()) macs[network.name] = multiply_accumulates(network.make({}));
  const Json json{{"command", "bench_kernels results"},
                  {"targets", targets},
                  {"macs", macs},
                  {"runs", table.json()},
                  {"estimated_cycles", json_cycles},
                  {"missed", table.missed()},
                  {"version", TRIMTAB_VERSION}};
  const std::string text = markdown(table, cycles, spare_cycles);
  write_file(folder / "kernels.json", json.dump(1) + "\n");
  write_file(folder / "kernels.md", text);
  fmt::print("\n{}", text);
}

}  // namespace
}  // namespace trimtab

int main(int count, char** arguments) {
  try {
    trimtab::run(count > 1 ? arguments[1] : "results");
    return 0;
  } catch (const trimtab::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
