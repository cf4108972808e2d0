#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "base/progress.h"
#include "base/staging.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/surroundings.h"
#include "data/dataset.h"
#include "program/operand_trace.h"
#include "program/program_file.h"
#include "report/report.h"
#include "target/characterize.h"
#include "target/characterize_result.h"
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
  const Buffer& input = nth(program.buffers, program.input);
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

std::string describe_operands(const CharacterizeCommand& command, const OperandTraces& traces) {
  if (command.program.empty()) return "uniformly random operands";
  const fs::path path = command.program;
  const fs::path name = path.has_filename() ? path : path.parent_path();
  return fmt::format("operands of {} layers of {} on {}", traces.layers.size(), name.filename().string(),
                     command.data.substr(0, command.data.find(':')));
}

void run_characterize(CharacterizeCommand& command, const Surroundings& around) {
  const auto start = std::chrono::steady_clock::now();
  const StagingFolder staging(command.out);
  const fs::path liberty = command.liberty.empty() ? hardware_directory() / "cells.lib" : fs::path(command.liberty);
  const GateLibrary library = parse_liberty(read_text(liberty), liberty.string());
  const OperandTraces traces = read_traces(command);
  const std::vector<OperandTrace> trace_operands = operands(traces);
  const SynthesisOptions synthesis{hardware_directory() / "rtl", liberty,
                                   std::chrono::milliseconds(static_cast<std::int64_t>(command.time_limit_s * 1000))};
  command.options.seed = command.common.seed;

  CharacterizeRun run;
  run.library = library.name;
  run.operands = describe_operands(command, traces);
  run.layers = traces.layers;
  run.skipped = traces.skipped;
  run.fj_at_8x8 = command.fj_at_8x8;
  run.seed = command.common.seed;
  std::vector<Characterization> macs;
  for (const MacArchitecture architecture : chosen(command.mac)) {
    const std::string top = module_of(architecture);
    const Netlist netlist = parse_netlist(synthesize(top, synthesis), top, "clock", library);
    Progress progress("simulating the gates of " + top, 24);
    command.options.progress = [&progress](std::int64_t done, std::int64_t) { progress.update(done); };
    macs.push_back(characterize(architecture, netlist, library, trace_operands, command.options));
  }
  run.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Result described = describe(run, macs);
  described.json["command_line"] = around.command_line;
  write_energy_tables(run, macs, staging.path());
  write_result(described, staging.path());
  write_report(staging.path());
  staging.commit();
  around.deliver(described, command.common.json);
}

}  // namespace

void add_characterize(CLI::App& app, const Surroundings& around) {
  auto command = std::make_shared<CharacterizeCommand>();
  command->source.limit = 16;
  CLI::App* sub = app.add_subcommand(
      "characterize", "simulate the gates of trimtab's own MACs for the energy of a multiply-accumulate");
  sub->add_option("PROGRAM", command->program,
                  "folder that fit made, or its program.bin; the gates work on the operands of its layers")
      ->default_str("uniformly random operands");
  add_data_option(*sub, command->data);
  add_limit_option(*sub, command->source.limit)->check(CLI::Range(1, 1000));
  add_resize_option(*sub, command->source.resize);
  sub->add_option("--mac", command->mac, "the MAC: serial, sum-together or all")
      ->check(CLI::IsMember({"serial", "sum-together", "all"}))
      ->capture_default_str();
  sub->add_option("--liberty", command->liberty, "gate library in the Liberty format")
      ->default_str("trimtab's own, with relative energies");
  sub->add_option("--macs", command->options.macs_per_stream,
                  "multiply-accumulates at every precision in each of the 64 simulated streams")
      ->check(CLI::Range(64, 1000000))
      ->capture_default_str();
  sub->add_option("--fj-at-8x8", command->fj_at_8x8,
                  "scale the tables to this energy in femtojoules at 8 x 8 bits, for instance a measured one")
      ->check(CLI::PositiveNumber)
      ->default_str("the energy of the nearest published array");
  sub->add_option("--time-limit", command->time_limit_s, "seconds that one synthesis may take")
      ->check(CLI::Range(0.001, 86400.0))
      ->capture_default_str();
  add_out_option(*sub, command->out)->required();
  add_common_options(*sub, command->common, "trimtab characterize fitted/ --data cifar10:cifar-10-batches-bin -o mac/");
  sub->callback([command, &around] { run_characterize(*command, around); });
}

}  // namespace trimtab::cli
