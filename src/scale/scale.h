#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cost/frontier.h"
#include "cost/pricer.h"
#include "data/dataset.h"
#include "data/taxonomy.h"
#include "emit/explain.h"
#include "graph/graph.h"
#include "learn/nested_training.h"
#include "measure/fidelity.h"
#include "program/program.h"
#include "scale/level_meter.h"
#include "scale/network_energy.h"
#include "scale/precision_search.h"
#include "scale/truncation.h"
#include "target/target.h"

namespace trimtab {

struct ScaleOptions {
  TaskChoice task;  ///< what the user says of it; the rest follows from network and data
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
  bool frontier = false;              ///< measure what less and more RAM cost in time, too
  std::filesystem::path dump_passes;  ///< folder for what every pass leaves, as text (program/pass_dump.h); empty: none
  int threads = 0;
  std::function<void(const std::string&)> report;  ///< told what is being done, one line each; may be empty
};

/// How a point answers at one level.
struct LevelMeasurement {
  AnswerScore tune;     ///< of the integer program on the tuning samples
  AnswerScore test;     ///< likewise on the held-back samples
  MeanDifference lost;  ///< of the point against the float network (measure_lost), held-back samples
  /// The same on the tuning samples; of labelled classes without training its estimate expected_loss.
  MeanDifference tune_lost;
  /// Where that is estimated: expected_loss on the held-back samples, too, far more certain than `lost` where they are
  /// few.
  std::optional<MeanDifference> lost_expected;
};

/// One operating point.
struct ScalePoint {
  std::size_t level = 0;  ///< for which it was found: index into ScaleResult::level_names
  bool uniform = false;   ///< asked for, not found
  std::vector<Precision> precision;
  InferenceEnergy energy;
  double saved_percent = 0;                ///< of the energy at 8 x 8 bits
  double divergence = 0;                   ///< on the search's samples
  std::vector<LevelMeasurement> measured;  ///< by level
  Fidelity fidelity;                       ///< of the integer program to the float network, held-back samples
};

struct ScaleResult {
  Task task;
  NestedNetwork network;
  Program program;                 ///< its points are `points`
  std::vector<ScalePoint> points;  ///< level by level, from the most energy to the least; the first is all bits; at
                                   ///< last the uniform ones, at the first level
  std::vector<Level> levels;       ///< of classification; empty for other tasks, which have one without classes
  std::vector<std::string> level_names;  ///< that one has the name of the task
  std::vector<AnswerScore> test_float;   ///< by level, of the float network on the held-back samples
  std::vector<AnswerScore> tune_float;
  InferenceEnergy full;
  std::string clean_up;  ///< what was removed without loss before anything else (learn/clean_network.h); may be empty
  std::vector<Layer> layers;
  std::vector<TruncationTable> truncation;  ///< one, or none
  std::optional<Deployment> deployment;     ///< where there is a target
  Schedule schedule;                        ///< ... for its core
  std::vector<StepCost> costs;              ///< ... by step, at the dearest point
  std::vector<FrontierPoint> frontier;      ///< where it was asked for; time at the dearest operating point
  std::vector<std::string> warnings;        ///< about data and answers
};

/// The refusal of levels where the task is not classification.
[[nodiscard]] Error no_levels(const Task& task);

/// Finds the operating points of a trained network on an accelerator, all from one set of weights, by the measure of
/// its task. Classification has points for every level of the taxonomy, whose leaves are the network's outputs, in
/// their order; without levels the classes are the only one. For other tasks the taxonomy is empty. `tune` and `test`
/// are raw samples of the same kind, pixels or features; `train_data` is for fine-tuning only. Measures are of the
/// integer program, run with the runtime's kernels. With a target the sources and the image are written to `folder`,
/// and the bounds are checked before any search or training. Throws Error (bad input) where data, taxonomy, task and
/// network do not fit, layers have no nested form, or the table lacks a pair of bits; (bound not met) where the image
/// misses a bound; (failure) where the emulated core and this machine differ.
[[nodiscard]] ScaleResult scale(const Graph& graph, const Taxonomy& taxonomy, const Dataset& train_data,
                                const Dataset& tune, const Dataset& test, const Preprocessing& preprocessing,
                                const ScaleOptions& options, const std::filesystem::path& folder = {});

}  // namespace trimtab
