#include "emit/board/validate.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "emit/deploy.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/program_file.h"

namespace trimtab {
namespace {

void check_network(const Program& program, const BoardInfo& board, const BoardLink& link) {
  const std::string hash = sha256(encode_program(program));
  const bool same = board.hash == hash && board.input_bytes == nth(program.buffers, program.input).bytes() &&
                    board.output_bytes == nth(program.buffers, program.output).bytes() &&
                    board.points == program.points.size() &&
                    (board.layers == 0 || board.layers == program.steps.size());
  if (same) return;
  const bool readable = std::ranges::all_of(board.hash, [](char c) { return c > 0x20 && c < 0x7f; });
  throw bad_input(
      "the board at {} runs the network {}, and the folder holds {}; build the firmware from its device/ again, or "
      "give "
      "the folder of that network",
      link.name(), readable ? board.hash.substr(0, 12) : "of no readable hash", hash.substr(0, 12));
}

}  // namespace

Validation validate_on_board(const Program& program, std::size_t point, const Dataset& data, const Task& task,
                             BoardLink& link) {
  Validation validation;
  validation.board = link.greet();
  check_network(program, validation.board, link);
  const ProgramRunner runner(program, schedule(program, Core::host), point);
  std::vector<std::int32_t> expected(static_cast<std::size_t>(runner.output_elements()));
  Scorer scorer(task, data, program.preprocessing);
  BoardCycles cycles{std::numeric_limits<std::int64_t>::max(), 0, 0};
  validation.layer_cycles.resize(validation.board.layers);
  Progress progress("running on the board", data.size());
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::vector<std::uint8_t> sample = convert_samples(program, data.slice(i, 1));
    const BoardRun run = link.run(validation.board, sample, point);
    const std::vector<std::int32_t> numbers = device_numbers(program, run.output);
    runner.run(sample, 1, expected);
    std::int64_t differing = 0;
    for (std::size_t k = 0; k < expected.size(); ++k) differing += numbers[k] != expected[k] ? 1 : 0;
    validation.differing_numbers += differing;
    if (differing > 0) {
      ++validation.differing_samples;
      if (!validation.first_differing) validation.first_differing = i;
    }
    scorer.add(i, real_outputs(program, numbers));
    cycles.least = std::min(cycles.least, run.cycles);
    cycles.most = std::max(cycles.most, run.cycles);
    cycles.mean += static_cast<double>(run.cycles) / static_cast<double>(data.size());
    for (std::size_t k = 0; k < run.layer_cycles.size(); ++k)
      validation.layer_cycles[k] += static_cast<double>(run.layer_cycles[k]) / static_cast<double>(data.size());
    progress.update(i + 1, fmt::format("{} differ", validation.differing_samples));
  }
  validation.samples = data.size();
  validation.score = scorer.score();
  if (validation.board.counts_cycles) validation.cycles = cycles;
  validation.repeated = link.repeated();
  return validation;
}

}  // namespace trimtab
