#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/frontier.h"
#include "cost/pricer.h"
#include "data/dataset.h"
#include "emit/deploy.h"
#include "emit/explain.h"
#include "fit/plan_search.h"
#include "graph/graph.h"
#include "learn/layer_errors.h"
#include "learn/quantization_aware.h"
#include "learn/quantize.h"
#include "measure/answer_review.h"
#include "measure/fidelity.h"
#include "measure/score.h"
#include "plan/plan.h"
#include "program/program.h"
#include "target/target.h"

namespace trimtab {

/// How the plan is searched, beside the rounds.
struct FitSearchOptions {
  PlanSearchOptions plan;                  ///< its image bounds, seed and report are those of the fit
  std::int64_t validation_samples = 2000;  ///< of the training data, which trials are compared on and never trained on
  std::filesystem::path study;             ///< folder of the study
  TrialRunner* runner = nullptr;  ///< runs the trials, with run_fit_trial on fit_trial_data; null: one by one, here
};

struct FitOptions {
  std::optional<Target> target;  ///< none: the integer program for this machine only, nothing linked or emulated
  std::string device_name;       ///< prefix of the device's C functions, a valid one; empty: from the network's name
  Bounds bounds;
  int weight_bits = 8;
  int activation_bits = 8;
  std::optional<std::filesystem::path> plan_file;            ///< overrides the bits and filters of the layers it names
  ImportanceMeasure importance = ImportanceMeasure::taylor;  ///< which filters go where a plan removes some
  std::int64_t recovery_epochs = 0;                          ///< of float training after that
  std::shared_ptr<const Graph> teacher;  ///< another network with the same inputs and classes; null: the network itself
  std::optional<FitSearchOptions> search;  ///< finds the plan; bits and plan_file are then not used
  CalibrationOptions calibration;
  bool train = false;  ///< quantization-aware training, as `training` says; otherwise post-training quantization only
  QatOptions training;
  Optimize optimize = Optimize::speed;
  InputForm input = InputForm::whole;  ///< pushed: the program takes its input row by row
  TaskChoice task;                     ///< what the user says of it; the rest follows from network and data
  std::int64_t verify_samples = 32;    ///< run in the emulator and compared bit for bit
  bool frontier = false;               ///< measure what less and more RAM cost in time, too
  std::filesystem::path dump_passes;  ///< folder for what every pass leaves, as text (program/pass_dump.h); empty: none
  int threads = 0;
  std::function<void(const std::string&)> report;  ///< told what is being done, one line each; may be empty
};

/// A sample that the integers answer wrongly, with its picture as PNG where it is one.
struct ReviewedSample {
  WrongAnswer answer;
  std::vector<std::uint8_t> png;
};

struct FitResult {
  QuantizedNetwork network;
  Program program;
  Schedule schedule;                     ///< for the target's core, or for this machine's
  std::vector<StepCost> costs;           ///< on the target, by step; empty where there is none
  std::optional<Deployment> deployment;  ///< where there is a target
  std::vector<FrontierPoint> frontier;   ///< where it was asked for
  std::string device_name;               ///< prefix of the device's C functions
  std::vector<std::string> left_out;     ///< layers that the program does without: a Softmax at the end
  Task task;
  Score score;        ///< of the integer program on the test data
  Score score_float;  ///< of the network before
  Fidelity fidelity;  ///< of the program's answers to the network's, on the same data
  std::vector<std::string> warnings;
  std::string clean_up;  ///< what was removed without loss before anything else (learn/clean_network.h); may be empty
  Graph pruned;          ///< the float network (takes raw samples) whose filters are those of the plan
  std::optional<PlanSearchResult> search;
  LayerErrors errors;  ///< where the integers leave the float network, on some test samples
  std::vector<std::vector<std::int64_t>> confusion;  ///< {label, answer} of the integers; empty without classes
  std::vector<ReviewedSample> worst;                 ///< some of the worst answers
};

/// Turns a trained network into a program that runs on the target within the bounds: searches the plan where
/// options.search says so, removes the filters that the plan leaves out, lets the rest recover, quantizes it, trains it
/// further under the plan where options.train says so, lowers, links, runs the image in the emulator, and compares
/// every number with the host's. `folder` receives the device sources and the image. Throws Error: (bad input) where a
/// layer cannot be deployed or data do not fit; (bound not met), with the missing bytes and the nearest uniform setting
/// that fits, before any training; (failure) where a single bit differs.
[[nodiscard]] FitResult fit(const Graph& graph, const Dataset& train_data, const Dataset& test_data,
                            const Preprocessing& preprocessing, const FitOptions& options,
                            const std::filesystem::path& folder);

/// The data of the trials of such a search. Needs options.search. Equal arguments give equal data in every process.
[[nodiscard]] FitTrialData fit_trial_data(const Graph& graph, const Dataset& train_data,
                                          const Preprocessing& preprocessing, const FitOptions& options);

}  // namespace trimtab
