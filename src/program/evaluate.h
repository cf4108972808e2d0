#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "data/taxonomy.h"
#include "measure/score.h"
#include "program/program.h"

namespace trimtab {

/// Raw samples (channels first) as a program takes them: height x width x channels integers on its input's grid, packed
/// as the runtime lays them out, one sample after the other. Features go through the program's preprocessing first;
/// pixels are taken as they are. Throws Error (bad input) where the samples' shape is not the input's, or pixels are
/// given to an input that is no plain 0..255 grid.
[[nodiscard]] std::vector<std::uint8_t> convert_samples(const Program& program, const Dataset& data);

/// The facts about the program's output that a task follows from. A table that gives nothing but 0..1 counts as a
/// Sigmoid.
[[nodiscard]] NetworkOutput output_of(const Program& program);

/// The real numbers that output integers stand for, channels first as a network file has them: the program's own order
/// is channels last. Whatever compares answers, or writes them, has this order.
[[nodiscard]] std::vector<float> real_outputs(const Program& program, std::span<const std::int32_t> outputs);

/// By sample: the probabilities of the outputs, as the softmax of the real numbers that they stand for.
[[nodiscard]] std::vector<float> probabilities(const Program& program, std::span<const std::int32_t> outputs);
/// The softmax of every `classes` numbers.
[[nodiscard]] std::vector<float> softmax_rows(std::vector<float> logits, std::size_t classes);

struct ProgramEvaluateOptions {
  int threads = 0;  ///< 0: all cores
  std::size_t point = 0;
  std::optional<Task> task{};  ///< nothing: the one that follows from program and data
  /// Given the real outputs, channels first, of the samples from `first` on, batch after batch; may be empty.
  std::function<void(std::int64_t first, std::span<const float> outputs)> observe{};
};

struct ProgramEvaluation {
  Task task;
  Score score;
  std::vector<LevelScore> levels;  ///< by the program's levels of abstraction, where the samples have classes
};

/// Runs the integer program at an operating point, with the host's kernels, on all samples.
[[nodiscard]] ProgramEvaluation evaluate_program(const Program& program, const Dataset& data,
                                                 const ProgramEvaluateOptions& options);

}  // namespace trimtab
