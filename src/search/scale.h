#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/taxonomy.h"
#include "graph/graph.h"
#include "learn/scalable_training.h"
#include "program/scalable_program.h"
#include "search/scale_energy.h"
#include "search/scale_search.h"
#include "search/scale_truncation.h"

namespace trimtab {

struct ScaleOptions {
  EnergyTable table;
  bool count_activations = false;
  ScaleSearchOptions search;
  std::int64_t search_samples = 128;  ///< of the tuning samples, on which sensitivities and biases are measured
  std::int64_t points_per_level = 8;
  std::vector<Precision> uniform;   ///< besides what is found: points with the same bits in all layers
  std::vector<std::string> levels;  ///< names of those to search; empty: all
  CalibrationOptions calibration;
  bool learned_rounding = true;  ///< without training: digits and scales by nested_rounding.h, else the nearest
  bool train = false;            ///< fine-tune, as `training` says; otherwise without training
  ScalableTrainOptions training;
  std::vector<int> truncation_bits;  ///< where not empty: also the table of scale_truncation.h
  int threads = 0;
  std::function<void(const std::string&)> report;  ///< told what is being done, one line each; may be empty
};

/// A difference of shares between two networks on the same samples, percent points, with the half width of its 95 %
/// confidence interval (normal approximation over the pairs).
struct PairedDifference {
  double mean = 0;
  double half_width = 0;
};
[[nodiscard]] PairedDifference paired_difference(const std::vector<bool>& before, const std::vector<bool>& after);

/// One operating point.
struct ScalePoint {
  std::size_t level = 0;  ///< index into ScaleResult::levels
  bool uniform = false;   ///< asked for, not found
  std::vector<Precision> precision;
  InferenceEnergy energy;
  double saved_percent = 0;  ///< of the energy at 8 x 8 bits
  double divergence = 0;     ///< on the search's samples
  LevelScore tune;           ///< of the integer program on the tuning samples
  LevelScore test;           ///< likewise on the held-back samples
  PairedDifference lost;     ///< top-1 of the float network less the point's, held-back samples
};

struct ScaleResult {
  ScalableNetwork network;
  ScalableProgram program;         ///< its points are `points`
  std::vector<ScalePoint> points;  ///< level by level, from the most energy to the least; the first is all bits; at
                                   ///< last the uniform ones, at the first level
  std::vector<Level> levels;
  std::vector<LevelScore> test_float;  ///< by level, of the float network on the held-back samples
  std::vector<LevelScore> tune_float;
  InferenceEnergy full;
  std::vector<Layer> layers;
  std::vector<TruncationTable> truncation;  ///< one, or none
};

/// Finds the operating points of a trained network on an accelerator, for every level of the taxonomy (whose leaves are
/// the network's outputs, in their order), all from one set of weights. `tune` and `test` are raw samples of the same
/// kind; `train_data` is for fine-tuning only. Accuracies are those of the integer program, run with the runtime's
/// kernels. Throws Error (bad input) where data, taxonomy and network do not fit, layers have no scalable form, or the
/// table lacks a pair of bits.
[[nodiscard]] ScaleResult scale(const Graph& graph, const Taxonomy& taxonomy, const Dataset& train_data,
                                const Dataset& tune, const Dataset& test, const Preprocessing& preprocessing,
                                const ScaleOptions& options);

}  // namespace trimtab
