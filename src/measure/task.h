#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"

namespace trimtab {

/// The question that a network answers. Measures, decisions and losses follow from it.
enum class TaskKind : std::uint8_t {
  classification,  ///< one of several classes: the largest output
  binary,          ///< one output, and a class on either side of a threshold
  regression,      ///< every output is to be a number of the data
  reconstruction,  ///< the outputs are to be the network's input
  anomaly,         ///< likewise; a sample is the less normal, the larger its mean squared reconstruction error is
  segmentation,    ///< a class for every pixel: the largest channel there, or a threshold where there is one channel
  outputs          ///< nothing is known of the outputs but that they are to be those of the float network
};

/// "classification", ... Throws Error (bad input) for another word.
[[nodiscard]] std::string name_of(TaskKind kind);
[[nodiscard]] TaskKind parse_task(const std::string& word);
/// The words, in the order of TaskKind.
[[nodiscard]] std::vector<std::string> task_names();

/// The facts about a network's output that a task follows from.
struct NetworkOutput {
  Shape shape;                      ///< channels first
  bool probability = false;         ///< lies in 0..1 because the network ends with a Sigmoid or its like
  std::vector<JoinedPart> parts{};  ///< where several outputs are joined
};
[[nodiscard]] NetworkOutput output_of(const Graph& graph);

/// The part of a task that a user may choose; the rest follows from the network and the data.
struct TaskChoice {
  std::optional<TaskKind> kind{};
  std::optional<double> threshold{};
};

struct Task {
  TaskKind kind = TaskKind::classification;
  Shape output;              ///< of one sample, channels first
  bool labelled = true;      ///< the data hold the right answers; otherwise the float network's are compared with only
  double threshold = 0.5;    ///< binary, and segmentation with one channel: outputs above it answer class 1
  bool probability = false;  ///< the output lies in 0..1; otherwise it is a logit or a number
  Preprocessing pixels{};    ///< reconstruction, anomaly: makes the target of raw pixels; features come preprocessed
  std::string reason;        ///< why it is this task, for people
  std::vector<JoinedPart> parts{};  ///< of the network, where several outputs are joined; empty: one output

  [[nodiscard]] std::int64_t outputs() const { return element_count(output); }
  /// Of a vector its length, of an image its channels.
  [[nodiscard]] std::int64_t channels() const { return output.empty() ? 1 : output[0]; }
  /// Of an image height x width; 1 of a vector.
  [[nodiscard]] std::int64_t positions() const { return channels() == 0 ? 0 : outputs() / channels(); }
  /// Whether an answer is a class, so that two networks can agree.
  [[nodiscard]] bool decides() const {
    return kind == TaskKind::classification || kind == TaskKind::binary || kind == TaskKind::segmentation;
  }
};

/// The task of a network on a data set:
///  - a class per pixel, as large as the output: segmentation
///  - one output and classes 0 and 1: binary; one output and other numbers: regression
///  - as many outputs as the input has, and classes 0 and 1 or none at all: anomaly, reconstruction
///  - several outputs and a class per sample: classification
///  - as many numbers as outputs: regression
///  - no answers: what the output's shape lets do; see docs/tasks.md
/// `preprocessing` is that of the data. Throws Error (bad input) where nothing fits, or the data do not fit the choice.
[[nodiscard]] Task choose_task(const TaskChoice& choice, const NetworkOutput& output, const Dataset& data,
                               const Preprocessing& preprocessing);

/// Throws Error (bad input) where the data set's answers are not those that the task needs.
void check_answers(const Task& task, const Dataset& data);

/// The class of a sample's answer: the largest output, or the threshold's side; -1 where an output is not a number.
/// Needs a task that decides, other than segmentation.
[[nodiscard]] std::int64_t decision(const Task& task, std::span<const float> outputs);
/// Segmentation: the class of every pixel.
void decide_pixels(const Task& task, std::span<const float> outputs, std::vector<std::int64_t>& classes);

/// The numbers that the outputs of sample `index` should be (regression, reconstruction, anomaly), into `out`. Features
/// go through `preprocessing`.
void read_target(const Task& task, const Dataset& data, std::int64_t index, const Preprocessing& preprocessing,
                 std::span<float> out);

/// "regression (one output, a number per sample)".
[[nodiscard]] std::string describe(const Task& task);

}  // namespace trimtab
