// The frontier of working memory against speed: the schedules of a network for a series of limits on the arena, each
// linked, run in the emulator and compared with the host.
//   bench_frontier TARGET NETWORK WEIGHT_BITS [--rows] [LIMIT_BYTES ...]
// --rows: the input is pushed row by row.

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

#include "emit/firmware.h"
#include "emit/recipe.h"
#include "networks.h"
#include "program/schedule.h"

int main(int argc, char** argv) {
  using namespace trimtab;
  if (argc < 4) {
    fmt::print(stderr, "usage: bench_frontier TARGET NETWORK WEIGHT_BITS [--rows] [LIMIT_BYTES ...]\n");
    return 2;
  }
  const Target target = with_memory_of_board(load_target(argv[1]));
  const auto network = std::ranges::find(table_networks(), std::string(argv[2]), &TableNetwork::name);
  if (network == table_networks().end()) {
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
