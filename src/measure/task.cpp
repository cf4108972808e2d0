#include "measure/task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "graph/connections.h"
#include "measure/measures.h"

namespace trimtab {

namespace {

constexpr std::array<const char*, 7> names = {"classification", "binary",       "regression", "reconstruction",
                                              "anomaly",        "segmentation", "outputs"};

bool is_image(const Task& task) { return task.positions() > 1; }

/// Two classes are known and no label is another.
bool has_two_classes(const Dataset& data) {
  return !data.labels.empty() && std::ranges::all_of(data.labels, [](std::int64_t label) { return label < 2; }) &&
         data.classes.size() <= 2;
}

Shape without_dimensions_of_one(Shape shape) {
  std::erase(shape, 1);
  return shape;
}

/// Whether the network could give back its input.
bool is_of_input(const Task& task, const Dataset& data) {
  return without_dimensions_of_one(task.output) == without_dimensions_of_one(data.shape);
}

bool maps_fit(const Task& task, const Dataset& data) {
  return !data.class_maps.empty() && task.output.size() == 3 &&
         without_dimensions_of_one(data.target_shape) == without_dimensions_of_one({task.output[1], task.output[2]});
}

/// A description of the data's answers, for messages.
std::string answers_of(const Dataset& data) {
  if (!data.class_maps.empty()) return fmt::format("a class for each of {} pixels", to_string(data.target_shape));
  if (!data.labels.empty()) return fmt::format("a class per sample, of {}", data.classes.size());
  if (!data.targets.empty()) return fmt::format("{} numbers per sample", to_string(data.target_shape));
  return "no answers";
}

TaskKind of_unlabelled(const Task& task, const Dataset& data, std::string& reason) {
  if (!task.parts.empty()) {
    reason = fmt::format("{} outputs", task.parts.size());
    return TaskKind::outputs;
  }
  reason = "no answers, ";
  if (task.outputs() > 1 && is_of_input(task, data)) {
    reason += "and the output has the input's shape";
    return TaskKind::reconstruction;
  }
  if (!is_image(task) && task.channels() > 1) {
    reason += fmt::format("{} outputs", task.channels());
    return TaskKind::classification;
  }
  reason += fmt::format("an output of {}", to_string(task.output));
  return TaskKind::outputs;
}

std::optional<TaskKind> of_labelled(const Task& task, const Dataset& data, std::string& reason) {
  const std::int64_t outputs = task.outputs();
  if (!task.parts.empty() && (data.targets.empty() || element_count(data.target_shape) != outputs)) {
    return of_unlabelled(task, data, reason);
  }
  if (maps_fit(task, data)) {
    reason = "a class per pixel of the output";
    return TaskKind::segmentation;
  }
  if (!data.labels.empty() && outputs == 1) {
    reason = has_two_classes(data) ? "one output, classes 0 and 1" : "one output, a number per sample";
    return has_two_classes(data) ? TaskKind::binary : TaskKind::regression;
  }
  if (has_two_classes(data) && outputs > 2 && is_of_input(task, data)) {
    reason = "the output has the input's shape, classes 0 (normal) and 1";
    return TaskKind::anomaly;
  }
  if (!data.labels.empty() && !is_image(task)) {
    reason = fmt::format("{} outputs, a class per sample", outputs);
    return TaskKind::classification;
  }
  if (!data.targets.empty() && element_count(data.target_shape) == outputs) {
    reason = outputs == 1 ? "one output, a number per sample" : fmt::format("{} numbers per sample", outputs);
    return TaskKind::regression;
  }
  return std::nullopt;
}

void check_classes(const Task& task, const Dataset& data, std::int64_t possible) {
  for (std::int64_t i = 0; i < std::ssize(data.labels); ++i) {
    const std::int64_t label = nth(data.labels, i);
    if (label >= 0 && label < possible) continue;
    if (task.kind == TaskKind::classification) {
      throw bad_input("sample {} has the label {}; the network has {} outputs, so labels 0 to {} are possible", i,
                      label, possible, possible - 1);
    }
    throw bad_input("sample {} has the label {}; {} needs 0 and 1", i, label, name_of(task.kind));
  }
}

/// Whether the outputs can be of the task at all.
void check_output(const Task& task, const Dataset& data) {
  const auto fits = [&]() -> bool {
    switch (task.kind) {
      case TaskKind::classification:
        return !is_image(task) && task.channels() > 1;
      case TaskKind::binary:
        return task.outputs() == 1;
      case TaskKind::reconstruction:
      case TaskKind::anomaly:
        return task.outputs() == element_count(data.shape);
      case TaskKind::segmentation:
        return task.output.size() == 3;
      case TaskKind::regression:
      case TaskKind::outputs:
        return true;
    }
    return false;
  };
  constexpr std::array<const char*, 7> needs = {
      "several outputs in a row",  "one output",         "outputs", "as many outputs as inputs",
      "as many outputs as inputs", "an image as output", "outputs"};
  if (!fits()) {
    throw bad_input("{} needs {}; the network makes {} from {}", name_of(task.kind),
                    needs.at(static_cast<std::size_t>(task.kind)), to_string(task.output), to_string(data.shape));
  }
}

std::int64_t side_of(const Task& task, float output) {
  if (std::isnan(output)) return -1;
  return static_cast<double>(output) > task.threshold ? 1 : 0;
}

bool is_share(const Operator& op) {
  if (std::holds_alternative<Sigmoid>(op) || std::holds_alternative<HardSigmoid>(op)) return true;
  const auto* clip = std::get_if<Clip>(&op);
  return clip != nullptr && clip->low == 0 && clip->high == 1;
}

}  // namespace

std::string name_of(TaskKind kind) { return names.at(static_cast<std::size_t>(kind)); }

std::vector<std::string> task_names() { return {names.begin(), names.end()}; }

TaskKind parse_task(const std::string& word) {
  const auto found = std::ranges::find(names, word);
  if (found == names.end()) throw bad_input("there is no task '{}'; give {}", word, fmt::join(names, ", "));
  return static_cast<TaskKind>(found - names.begin());
}

NetworkOutput output_of(const Graph& graph) {
  NetworkOutput output{graph.output_shape(), false, graph.output_parts};
  ValueId value = graph.output;
  const Connections connections(graph);
  for (std::int64_t node = connections.producer(value); node >= 0; node = connections.producer(value)) {
    const Node& own = nth(graph.nodes, node);
    const bool moves = std::holds_alternative<Reshape>(own.op) || std::holds_alternative<Permute>(own.op);
    if (!moves) {
      output.probability = is_share(own.op);
      break;
    }
    value = own.inputs[0];
  }
  return output;
}

Task choose_task(const TaskChoice& choice, const NetworkOutput& output, const Dataset& data,
                 const Preprocessing& preprocessing) {
  Task task;
  task.output = output.shape;
  task.probability = output.probability;
  task.parts = output.parts;
  task.threshold = choice.threshold.value_or(output.probability ? 0.5 : 0.0);
  if (data.is_pixels()) task.pixels = preprocessing;
  if (choice.kind.has_value()) {
    task.kind = *choice.kind;
    task.reason = "as --task says";
  } else if (!data.has_answers()) {
    task.kind = of_unlabelled(task, data, task.reason);
  } else {
    const std::optional<TaskKind> kind = of_labelled(task, data, task.reason);
    if (!kind) {
      throw bad_input(
          "the network makes {}, the data have {}; --task says what is asked for ({}), --unlabelled that the "
          "answers are of no use",
          to_string(output.shape), answers_of(data), fmt::join(names, ", "));
    }
    task.kind = *kind;
  }
  const bool own_answers = task.kind == TaskKind::reconstruction || task.kind == TaskKind::outputs;
  task.labelled = task.kind != TaskKind::outputs && (own_answers || data.has_answers());
  check_output(task, data);
  if (task.labelled) check_answers(task, data);
  return task;
}

void check_answers(const Task& task, const Dataset& data) {
  if (data.size() == 0) throw bad_input("the data set has no samples");
  const auto need = [&](bool there, const std::string& what) {
    if (!there) throw bad_input("{} needs {}; the data have {}", name_of(task.kind), what, answers_of(data));
  };
  switch (task.kind) {
    case TaskKind::classification:
      need(!data.labels.empty(), "a class per sample");
      check_classes(task, data, task.channels());
      break;
    case TaskKind::binary:
    case TaskKind::anomaly:
      need(!data.labels.empty(), "a class per sample, 0 or 1");
      check_classes(task, data, 2);
      break;
    case TaskKind::regression:
      need((!data.targets.empty() && element_count(data.target_shape) == task.outputs()) ||
               (!data.labels.empty() && task.outputs() == 1),
           fmt::format("as many numbers per sample as outputs ({})", to_string(task.output)));
      if (data.target_shape.size() == 3 && task.output.size() == 3)
        need(data.target_shape == task.output, fmt::format("numbers channels first ({})", to_string(task.output)));
      break;
    case TaskKind::segmentation: {
      need(maps_fit(task, data), fmt::format("a class per pixel of the output ({})", to_string(task.output)));
      const std::int64_t possible = std::max<std::int64_t>(task.channels(), 2);
      if (std::ssize(data.classes) > possible)
        throw bad_input("the data have the class {}; the network answers classes 0 to {}", data.classes.size() - 1,
                        possible - 1);
      break;
    }
    case TaskKind::reconstruction:
      break;
    case TaskKind::outputs:
      throw bad_input("the task 'outputs' knows no right answers; --task says what the network is for");
  }
}

std::int64_t decision(const Task& task, std::span<const float> outputs) {
  return task.kind == TaskKind::classification ? largest(outputs) : side_of(task, outputs[0]);
}

void decide_pixels(const Task& task, std::span<const float> outputs, std::vector<std::int64_t>& classes) {
  const std::int64_t pixels = task.positions();
  const std::int64_t channels = task.channels();
  classes.resize(static_cast<std::size_t>(pixels));
  std::vector<float> pixel(static_cast<std::size_t>(channels));
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < channels; ++c) nth(pixel, c) = nth(outputs, c * pixels + p);
    nth(classes, p) = channels == 1 ? side_of(task, pixel[0]) : largest(pixel);
  }
}

void read_target(const Task& task, const Dataset& data, std::int64_t index, const Preprocessing& preprocessing,
                 std::span<float> out) {
  if (task.kind != TaskKind::regression) {
    data.read(index, data.is_pixels() ? task.pixels : preprocessing, out);
  } else if (!data.targets.empty()) {
    std::ranges::copy(data.targets[index], out.begin());
  } else {
    out[0] = static_cast<float>(nth(data.labels, index));
  }
}

std::string describe(const Task& task) { return fmt::format("{} ({})", name_of(task.kind), task.reason); }

}  // namespace trimtab
