#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/pricer.h"
#include "data/dataset.h"
#include "data/taxonomy.h"
#include "graph/graph.h"
#include "learn/nested_training.h"
#include "program/program.h"
#include "scale/expected_loss.h"
#include "scale/network_energy.h"
#include "scale/precision_search.h"
#include "scale/truncation.h"
#include "target/target.h"

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
  NestedTrainOptions training;
  std::shared_ptr<const Graph> teacher;  ///< of it: another network with the same inputs and classes; null: the network
  std::vector<int> truncation_bits;      ///< where not empty: also the table of truncation.h
  std::optional<Target> target;          ///< the microcontroller that the program is deployed to; nothing: none
  Optimize optimize = Optimize::speed;
  std::string device_name;            ///< prefix of the device's C functions; empty: from the network's name
  Bounds bounds;                      ///< on the target
  std::int64_t verify_samples = 4;    ///< run on the emulated core at every point
  std::filesystem::path dump_passes;  ///< folder for what every pass leaves, as text (program/pass_dump.h); empty: none
  int threads = 0;
  std::function<void(const std::string&)> report;  ///< told what is being done, one line each; may be empty
};

/// How a point answers at one level.
struct LevelMeasurement {
  LevelScore tune;      ///< of the integer program on the tuning samples
  LevelScore test;      ///< likewise on the held-back samples
  MeanDifference lost;  ///< top-1 of the float network less the point's, held-back samples
  /// The estimate of that from the tuning samples: trained, the difference of the hits; otherwise expected_loss.
  MeanDifference tune_lost;
  /// Not trained: expected_loss on the held-back samples, too, far more certain than `lost` where they are few.
  std::optional<MeanDifference> lost_expected;
};

/// One operating point.
struct ScalePoint {
  std::size_t level = 0;  ///< for which it was found: index into ScaleResult::levels
  bool uniform = false;   ///< asked for, not found
  std::vector<Precision> precision;
  InferenceEnergy energy;
  double saved_percent = 0;                ///< of the energy at 8 x 8 bits
  double divergence = 0;                   ///< on the search's samples
  std::vector<LevelMeasurement> measured;  ///< by level
};

struct ScaleResult {
  NestedNetwork network;
  Program program;                 ///< its points are `points`
  std::vector<ScalePoint> points;  ///< level by level, from the most energy to the least; the first is all bits; at
                                   ///< last the uniform ones, at the first level
  std::vector<Level> levels;
  std::vector<LevelScore> test_float;  ///< by level, of the float network on the held-back samples
  std::vector<LevelScore> tune_float;
  InferenceEnergy full;
  std::string clean_up;  ///< what was removed without loss before anything else (learn/clean_network.h); may be empty
  std::vector<Layer> layers;
  std::vector<TruncationTable> truncation;  ///< one, or none
  std::optional<Deployment> deployment;     ///< where there is a target
  std::vector<std::string> warnings;        ///< about data and answers
};

/// The point to run where answers at `level` may lose so many points of top-1: the cheapest that loses no more on the
/// tuning samples; index into `points`, the first where none does. Losses over few samples are noisy, and the cheapest
/// of many points would be one that was lucky: so they are smoothed first, by the losses nearest to them (least
/// squares) that never fall as energy does (isotonic regression: pool adjacent violators). Uniform points do not count.
[[nodiscard]] std::size_t choose_point(const ScaleResult& result, std::size_t level, double most_lost_percent);

/// The other way round: of the points that save at least so much energy the one that loses least on the tuning samples;
/// nothing where none saves so much.
[[nodiscard]] std::optional<std::size_t> choose_saving_point(const ScaleResult& result, std::size_t level,
                                                             double least_saved_percent);

/// Finds the operating points of a trained network on an accelerator, for every level of the taxonomy (whose leaves are
/// the network's outputs, in their order), all from one set of weights. `tune` and `test` are raw samples of the same
/// kind, pixels or features; `train_data` is for fine-tuning only. Accuracies are those of the integer program, run
/// with the runtime's kernels. With a target the sources and the image are written to `folder`, and the bounds are
/// checked before any search or training. Throws Error (bad input) where data, taxonomy and network do not fit, layers
/// have no nested form, or the table lacks a pair of bits; (bound not met) where the image misses a bound; (failure)
/// where the emulated core and this machine differ.
[[nodiscard]] ScaleResult scale(const Graph& graph, const Taxonomy& taxonomy, const Dataset& train_data,
                                const Dataset& tune, const Dataset& test, const Preprocessing& preprocessing,
                                const ScaleOptions& options, const std::filesystem::path& folder = {});

}  // namespace trimtab
