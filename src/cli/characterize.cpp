#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "data/dataset.h"
#include "program/operand_trace.h"
#include "program/program_file.h"
#include "target/characterize.h"
#include "target/share.h"
#include "target/synthesis.h"

namespace trimtab::cli {
namespace {

namespace fs = std::filesystem;

struct CharacterizeCommand {
  CommonOptions common;
  std::string program;
  std::string data;
  std::string mac = "all";
  std::string liberty;
  std::string out;
  double time_limit_s = 300;
  double fj_at_8x8 = 0;
  std::int64_t dot_products = 20000;
  DataOptions source;
  CharacterizeOptions options;
};

/// Energy of 8 x 8 bits that the published array nearest to ours has (targets/accelerators/bitblade.toml, loom.toml),
/// so that memory traffic weighs beside it as it does there.
double published_fj(MacArchitecture architecture) { return architecture == MacArchitecture::serial ? 992 : 873; }

std::vector<MacArchitecture> chosen(const std::string& word) {
  if (word == "serial") return {MacArchitecture::serial};
  if (word == "sum-together") return {MacArchitecture::sum_together};
  return {MacArchitecture::serial, MacArchitecture::sum_together};
}

OperandTraces read_traces(CharacterizeCommand& command) {
  if (command.program.empty()) {
    if (!command.data.empty())
      throw bad_input("--data needs a program that runs on it: a finished folder or program.bin");
    return {};
  }
  if (command.data.empty()) throw bad_input("{} needs samples to run on: give --data", command.program);
  const fs::path path = command.program;
  const Program program = load_program(fs::is_directory(path) ? path / "program.bin" : path);
  const Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
  command.source.shape = {input.channels, input.height, input.width};
  command.source.seed = command.common.seed;
  const Dataset data = load_dataset(command.data, Split::test, command.source);
  return trace_operands(program, data, command.dot_products, command.common.seed);
}

std::vector<OperandTrace> operands(const OperandTraces& traces) {
  std::vector<OperandTrace> result;
  for (const DotProduct& product : traces.dot_products) {
    OperandTrace trace;
    trace.layer = static_cast<int>(product.layer);
    for (std::size_t i = 0; i < product.weights.size(); ++i) {
      trace.operands.push_back({product.weights[i], product.activations[i]});
    }
    result.push_back(std::move(trace));
  }
  return result;
}

nlohmann::ordered_json to_json(const Characterization& mac) {
  auto pairs = nlohmann::ordered_json::array();
  for (const MacEnergy& pair : mac.pairs) {
    pairs.push_back({{"weight_bits", pair.weight_bits},
                     {"activation_bits", pair.activation_bits},
                     {"relative", pair.fj / mac.pairs.front().fj},
                     {"library_fj", pair.fj},
                     {"gates_fj", pair.gates_fj},
                     {"glitches_fj", pair.glitches_fj},
                     {"registers_fj", pair.registers_fj},
                     {"clock_fj", pair.clock_fj},
                     {"clocks_per_mac", pair.clocks},
                     {"macs", pair.macs},
                     {"zero_activations", pair.zeros}});
  }
  return {{"mac", name_of(mac.architecture)},
          {"gates", mac.gates},
          {"flip_flops", mac.flip_flops},
          {"area", mac.area},
          {"longest_path_inverters", mac.longest_path},
          {"sums_compared", mac.sums},
          {"sums_differing", 0},  // the first that differed would have ended the command
          {"pairs", pairs}};
}

std::string summary(const Characterization& mac) {
  std::string text = fmt::format(
      "{}: {} gates, {} flip-flops, area {:.0f}; energy per multiply-accumulate, 8 x 8 bits = 1 (relative, not "
      "calibrated)\n                 activation bits\n  weight bits ",
      name_of(mac.architecture), format_count(mac.gates), format_count(mac.flip_flops), mac.area);
  for (std::size_t i = 0; i < 4; ++i) text += fmt::format("{:8}", mac.pairs[i].activation_bits);
  for (std::size_t i = 0; i < mac.pairs.size(); ++i) {
    if (i % 4 == 0) text += fmt::format("\n  {:11} ", mac.pairs[i].weight_bits);
    text += fmt::format("{:8.3f}", mac.pairs[i].fj / mac.pairs.front().fj);
  }
  return text + "\n";
}

std::string describe_operands(const CharacterizeCommand& command, const OperandTraces& traces) {
  if (command.program.empty()) return "uniformly random operands";
  const fs::path path = command.program;
  const fs::path name = path.has_filename() ? path : path.parent_path();
  return fmt::format("operands of {} layers of {} on {}", traces.layers.size(), name.filename().string(),
                     command.data.substr(0, command.data.find(':')));
}

void run_characterize(CharacterizeCommand& command) {
  const auto start = std::chrono::steady_clock::now();
  const fs::path liberty = command.liberty.empty() ? hardware_directory() / "cells.lib" : fs::path(command.liberty);
  const GateLibrary library = parse_liberty(read_text(liberty), liberty.string());
  const OperandTraces traces = read_traces(command);
  const std::vector<OperandTrace> trace_operands = operands(traces);
  const std::string what = describe_operands(command, traces);
  const SynthesisOptions synthesis{hardware_directory() / "rtl", liberty,
                                   std::chrono::milliseconds(static_cast<std::int64_t>(command.time_limit_s * 1000))};
  command.options.seed = command.common.seed;

  auto macs = nlohmann::ordered_json::array();
  std::string text;
  std::vector<std::pair<std::string, std::string>> tables;
  for (const MacArchitecture architecture : chosen(command.mac)) {
    const std::string top = module_of(architecture);
    const Netlist netlist = parse_netlist(synthesize(top, synthesis), top, "clock", library);
    Progress progress("simulating the gates of " + top, 24);
    command.options.progress = [&progress](std::int64_t done, std::int64_t) { progress.update(done); };
    const Characterization mac = characterize(architecture, netlist, library, trace_operands, command.options);
    macs.push_back(to_json(mac));
    text += summary(mac) + "\n";
    const std::string method = fmt::format(
        "trimtab characterize: toggles of the netlist (yosys, library {}) times the energies of its cells, {}, {} "
        "multiply-accumulates per pair; scaled so that 8 x 8 bits take what the published {} array takes",
        library.name, what, mac.pairs.front().macs, architecture == MacArchitecture::serial ? "Loom-like" : "BitBlade");
    const double anchor = command.fj_at_8x8 > 0 ? command.fj_at_8x8 : published_fj(architecture);
    tables.emplace_back(
        "trimtab-" + name_of(architecture) + ".toml",
        to_energy_table(
            mac, anchor,
            command.fj_at_8x8 > 0 ? method.substr(0, method.find("; scaled")) + "; scaled to --fj-at-8x8" : method));
  }
  const nlohmann::ordered_json json = {
      {"relative", true},
      {"library", library.name},
      {"operands", what},
      {"layers", traces.layers},
      {"layers_skipped", traces.skipped},
      {"macs", macs},
      {"seed", command.common.seed},
      {"wall_s", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()},
      {"version", TRIMTAB_VERSION}};
  text += what + "\n";
  if (!traces.skipped.empty()) {
    text += fmt::format("without {}: their inputs are not unsigned 8 bits\n", fmt::join(traces.skipped, ", "));
  }
  make_directory(command.out);
  for (const auto& [name, content] : tables) write_file(fs::path(command.out) / name, content);
  write_file(fs::path(command.out) / "summary.txt", text);
  write_file(fs::path(command.out) / "result.json", json.dump(2) + "\n");
  if (command.common.json) {
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}", text);
  }
}

}  // namespace

void add_characterize(CLI::App& app) {
  auto command = std::make_shared<CharacterizeCommand>();
  CLI::App* sub =
      app.add_subcommand("characterize", "energy per multiply-accumulate of trimtab's own MACs, from their gates");
  sub->add_option("program", command->program,
                  "finished folder of 'trimtab fit' (or its program.bin) whose layers' operands the gates are "
                  "simulated on; without it, uniformly random ones");
  sub->add_option("--data", command->data,
                  "samples that the program runs on: cifar10:DIR, images:DIR, npy:X.npy,Y.npy");
  sub->add_option("--limit", command->source.limit, "use at most so many samples, spread evenly")
      ->default_val(16)
      ->check(CLI::Range(1, 1000));
  sub->add_option("--resize", command->source.resize, "pictures: shorter side before the centre crop");
  sub->add_option("--mac", command->mac, "which MAC: serial, sum-together or all")
      ->check(CLI::IsMember({"serial", "sum-together", "all"}))
      ->capture_default_str();
  sub->add_option("--liberty", command->liberty, "gate library (default: trimtab's own, relative)");
  sub->add_option("--macs", command->options.macs_per_stream,
                  "multiply-accumulates at every precision in each of the 64 simulated streams")
      ->check(CLI::Range(64, 1000000))
      ->capture_default_str();
  sub->add_option("--fj-at-8x8", command->fj_at_8x8,
                  "scale the tables to this energy at 8 x 8 bits, such as a measured one (default: that of the nearest "
                  "published array)")
      ->check(CLI::PositiveNumber);
  sub->add_option("--time-limit", command->time_limit_s, "seconds that one synthesis may take")
      ->check(CLI::Range(0.001, 86400.0))
      ->capture_default_str();
  sub->add_option("-o,--out", command->out, "folder for the tables and result.json")->required();
  add_common_options(*sub, command->common, "trimtab characterize fitted/ --data cifar10:cifar-10-batches-bin -o mac/");
  sub->callback([command] { run_characterize(*command); });
}

}  // namespace trimtab::cli
