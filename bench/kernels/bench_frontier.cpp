// The frontier of working memory against speed: the schedules of a network for a series of limits on the arena, each
// linked, run in the emulator and compared with the host.
//   bench_frontier TARGET NETWORK WEIGHT_BITS [--rows] [LIMIT_BYTES ...]
//   bench_frontier results [FOLDER]
// --rows: the input is pushed row by row. The second form writes rows.md and rows.json: networks with whole and with
// pushed inputs.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "networks.h"
#include "program/schedule.h"

namespace trimtab {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view head = R"(# Pushed rows: less RAM, and work that is done while the input comes

Made by `bench_frontier results`: the networks of [kernels](kernels.md) at 8 bits on the emulated Cortex-M4 (stm32f412). With a whole input the sample lies in
the arena before the run. With pushed rows only the rows that are still needed do (`fit --input rows`). Limit: on the arena; 0 asks for the smallest. Every number of every
output is the host's. The last push is the time from the last row to the answer; its share of all instructions stands behind it.

| network | input | limit B | arena B | lower bound B | instructions | longest push | last push | stack B |
|---|---|---|---|---|---|---|---|---|
)";

const TableNetwork* find_network(const std::string& name) {
  const auto network = std::ranges::find(table_networks(), name, &TableNetwork::name);
  return network == table_networks().end() ? nullptr : &*network;
}

void write_results(const std::filesystem::path& folder) {
  const Target target = with_memory_of_board(load_target("stm32f412"));
  const std::vector<std::pair<std::string, std::vector<std::optional<std::int64_t>>>> rows{
      {"resnet8", {0, 16384, 19456, 25088, std::nullopt}},
      {"vww", {0, 14440, std::nullopt}},
      {"dscnn", {0, std::nullopt}}};
  std::string text(head);
  auto json = Json::array();
  for (const auto& [name, limits] : rows) {
    const Program program = find_network(name)->make({});
    for (const InputForm input : {InputForm::whole, InputForm::pushed}) {
      for (const std::optional<std::int64_t> limit : limits) {
        const Schedule plan = schedule(program, core_of(target), Optimize::speed, {limit}, input);
        const Deployment run = measure(program, plan, target);
        if (run.mismatches > 0) throw failure("{} differs from the host", name);
        const auto share = [&](std::int64_t count) {
          return fmt::format("{} ({:.0f} %)", format_count(count), 100 * double(count) / double(run.instructions()));
        };
        const auto& pushes = run.pushes;
        text +=
            fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", name, name_of(input),
                        limit.has_value() ? std::to_string(*limit) : "none", plan.arena_bytes, plan.lower_bound_bytes,
                        format_count(run.instructions()), pushes.has_value() ? share(pushes->longest) : "",
                        pushes.has_value() ? share(pushes->last) : "", run.stack_bytes);
        Json one = {{"network", name},
                    {"input", name_of(input)},
                    {"arena_bytes", plan.arena_bytes},
                    {"arena_lower_bound_bytes", plan.lower_bound_bytes},
                    {"instructions", run.instructions()},
                    {"stack_bytes", run.stack_bytes}};
        if (limit.has_value()) one["limit_bytes"] = *limit;
        if (pushes.has_value()) {
          one["longest_push_instructions"] = pushes->longest;
          one["last_push_instructions"] = pushes->last;
        }
        json.push_back(std::move(one));
      }
    }
  }
  write_file(folder / "rows.md", text);
  write_file(folder / "rows.json",
             Json{{"command", "bench_frontier results"}, {"rows", json}, {"version", TRIMTAB_VERSION}}.dump(1) + "\n");
  fmt::print("{}", text);
}

}  // namespace
}  // namespace trimtab

int main(int argc, char** argv) {
  using namespace trimtab;
  if (argc > 1 && std::string(argv[1]) == "results") {
    try {
      write_results(argc > 2 ? argv[2] : "results");
      return 0;
    } catch (const Error& error) {
      fmt::print(stderr, "{}\n", error.what());
      return static_cast<int>(error.code());
    }
  }
  if (argc < 4) {
    fmt::print(stderr,
               "usage: bench_frontier TARGET NETWORK WEIGHT_BITS [--rows] [LIMIT_BYTES ...]\n       bench_frontier "
               "results [FOLDER]\n");
    return 2;
  }
  const Target target = with_memory_of_board(load_target(argv[1]));
  const TableNetwork* const network = find_network(argv[2]);
  if (network == nullptr) {
    fmt::print(stderr, "there is no network '{}'\n", argv[2]);
    return 2;
  }
  Bits bits;
  bits.weights = std::atoi(argv[3]);
  const Program program = network->make(bits);
  const bool pushed = argc > 4 && std::string(argv[4]) == "--rows";
  const auto row = [&](const std::string& name, std::optional<std::int64_t> limit) {
    const auto begin = std::chrono::steady_clock::now();
    const Schedule plan =
        schedule(program, core_of(target), Optimize::speed, {limit}, pushed ? InputForm::pushed : InputForm::whole);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const Deployment run = measure(program, plan, target);
    fmt::print(
        "{:>8}  {:>7} bytes (bound {:>6})  {:>11} instructions  stack {:>5}  text {:>6}  {:>4} operations  "
        "{:.2f} s{}\n",
        name, plan.arena_bytes, plan.lower_bound_bytes, run.instructions(), run.stack_bytes, run.image.text,
        plan.operations.size(), seconds.count(), run.mismatches == 0 ? "" : "  WRONG");
    if (run.pushes.has_value()) {
      fmt::print("          longest push {:>9} instructions, after the last row {:>9}\n", run.pushes->longest,
                 run.pushes->last);
    }
    if (std::getenv("TRIMTAB_STRIPS") != nullptr) {
      const std::vector<std::int32_t> rows = strip_rows(plan);
      for (std::size_t s = 0; s < program.steps.size(); ++s) {
        fmt::print("          {} x {} rows of {}\n", rows[s], program.steps[s].name, plan.kernels[s].name);
      }
    }
    std::fflush(stdout);
  };
  row("default", std::nullopt);
  row("0", 0);
  for (int i = pushed ? 5 : 4; i < argc; ++i) row(argv[i], std::atoll(argv[i]));
}
