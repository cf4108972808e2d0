#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "data/taxonomy.h"
#include "program/program.h"

namespace trimtab {

/// Raw samples (channels first) as a program takes them: height x width x channels integers on its input's grid, packed
/// as the runtime lays them out, one sample after the other. Features go through the program's preprocessing first;
/// pixels are taken as they are. Throws Error (bad input) where the samples' shape is not the input's, or pixels are
/// given to an input that is no plain 0..255 grid.
[[nodiscard]] std::vector<std::uint8_t> convert_samples(const Program& program, const Dataset& data);

struct ProgramEvaluation {
  std::int64_t samples = 0;
  double top1 = 0;  ///< percent of the samples whose label has the largest output (of equal ones the first counts)
  double top5 = 0;  ///< percent of the samples whose label is among the five largest
  std::vector<std::int64_t> predictions;  ///< number of the largest output, by sample
  std::vector<LevelScore> levels;         ///< by the program's levels of abstraction
};

/// By sample: the probabilities of the outputs, as the softmax of the real numbers that they stand for.
[[nodiscard]] std::vector<float> probabilities(const Program& program, std::span<const std::int32_t> outputs);
/// The softmax of every `classes` numbers.
[[nodiscard]] std::vector<float> softmax_rows(std::vector<float> logits, std::size_t classes);

/// Runs the integer program at an operating point, with the host's kernels, on all samples.
[[nodiscard]] ProgramEvaluation evaluate_program(const Program& program, const Dataset& data, int threads = 0,
                                                 std::size_t point = 0);

}  // namespace trimtab
