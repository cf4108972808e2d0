#include "cli/train.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/settings.h"
#include "base/staging.h"
#include "cli/learn/bfloat16.h"
#include "cli/learn/interrupt.h"
#include "cli/model_data.h"
#include "data/dataset.h"
#include "graph/networks.h"
#include "import/network_file.h"
#include "import/onnx.h"
#include "learn/train.h"
#include "learn/train_result.h"

namespace trimtab::cli {
namespace {

namespace fs = std::filesystem;

/// Shifts and mirroring suit pictures; features are left as they are unless the user says otherwise.
void choose_augmentation(TrainCommand& command, const Dataset& data) {
  Augmentation& change = command.training.augmentation;
  if (command.crop == "auto") {
    change.crop_rows = change.crop_columns = data.is_pixels() && data.shape.size() == 3 ? data.shape[1] / 8 : 0;
  } else {
    const Shape crop = parse_shape(command.crop, "--crop");
    if (crop.size() > 2) throw bad_input("--crop is '{}'; give N or ROWSxCOLUMNS", command.crop);
    change.crop_rows = crop.front();
    change.crop_columns = crop.back();
  }
  change.flip = command.flip == "auto" ? data.is_pixels() : command.flip == "on";
  change.fill = command.fill == "mean" ? Augmentation::Fill::mean : Augmentation::Fill::zero;
}

/// The test set, or an empty one where the data knows no part of its own for tests.
Dataset load_test_data(const TrainCommand& command, const Dataset& train_data) {
  const bool own = command.test_data.empty();
  Dataset test = load_dataset(own ? command.data : command.test_data, Split::test, command.source);
  const bool same = test.labels == train_data.labels && test.targets == train_data.targets &&
                    test.pixels == train_data.pixels && test.features == train_data.features;
  return own && same ? Dataset{} : test;
}

/// The outputs that a built-in network needs: a class each, one with a threshold, or a number each.
std::int64_t outputs_for(const TrainCommand& command, const Dataset& data) {
  const std::optional<TaskKind> kind = task_choice(command.task).kind;
  if (kind == TaskKind::binary) return 1;
  const bool of_numbers = data.labels.empty() || (kind == TaskKind::regression && !data.targets.empty());
  if (of_numbers && data.targets.empty()) {
    throw bad_input("{} has no label or number for a whole sample, so --net cannot know its outputs", command.data);
  }
  return of_numbers ? element_count(data.target_shape) : std::ssize(data.classes);
}

/// The result of the same run, where OUT/ holds it; null where OUT/ is new or holds a run to continue.
nlohmann::ordered_json finished_result(const fs::path& out, const nlohmann::json& settings) {
  const fs::path path = out / "result.json";
  if (!fs::exists(path)) return nullptr;
  nlohmann::ordered_json result = nlohmann::ordered_json::parse(read_text(path), nullptr, false);
  if (!result.is_object() || !result.contains("settings")) {
    throw bad_input("{} is not a result of 'trimtab train'; choose another OUT", path.string());
  }
  check_same_settings(nlohmann::json(result.at("settings")), settings, path.string());
  return result;
}

}  // namespace

Result run_train(TrainCommand& command, const Surroundings& around) {
  if (command.net.empty() == command.model.empty()) throw bad_input("give either --net or a MODEL");
  warn_of_slow_bfloat16(command.training.bfloat16);
  const fs::path out = command.out;
  command.source.seed = command.training.seed = command.common.seed;
  command.training.threads = command.common.threads;
  Graph graph;
  if (!command.model.empty()) {
    graph = read_model(command.model, command.choice);
    command.source.shape = graph.input_shape();
    command.source.parts = graph.input_parts;
  } else if (!command.shape.empty()) {
    command.source.shape = parse_shape(command.shape, "--shape");
  }
  const Dataset train_data = load_dataset(command.data, Split::train, command.source);
  const Dataset test_data = load_test_data(command, train_data);
  if (!command.net.empty()) {
    graph = make_network(command.net, train_data.shape, outputs_for(command, train_data), command.common.seed);
  }
  const Preprocessing preprocessing = command.preprocessing == "auto"
                                          ? measure_preprocessing(train_data)
                                          : parse_preprocessing(command.preprocessing, train_data.shape.at(0));
  choose_augmentation(command, train_data);
  if (!command.teacher.empty()) command.training.teacher = std::make_shared<Graph>(load_network(command.teacher));

  command.training.task = choose_task(task_choice(command.task), output_of(graph), train_data, preprocessing);
  const nlohmann::json settings = training_settings(graph, train_data, preprocessing, command.training);
  const StagingFolder staging(out);
  nlohmann::ordered_json result = finished_result(out, settings);
  if (result.is_null()) {
    command.training.checkpoint = out / "checkpoint.pt";
    command.training.log = out / "log.csv";
    const InterruptGuard guard(around.interrupted);
    command.training.interrupted = guard.flag();
    const TrainResult trained = train(graph, train_data, test_data, preprocessing, command.training);
    try {
      validate(trained.graph);
    } catch (const Error& error) {
      throw failure("training diverged: {}; a smaller learning rate than {} may help", error.what(),
                    command.training.learning_rate);
    }
    const TrainRun run{command.net.empty() ? command.model : command.net, command.data, train_data.size(),
                       command.common.seed};
    result = to_json(run, settings, preprocessing, *command.training.task, trained);
    write_onnx(trained.graph, staging.path() / "model.onnx");
    write_file(staging.path() / "preprocessing.toml", to_toml(preprocessing));
    write_file(staging.path() / "result.json", json_text(result, 2) + "\n");
    staging.commit();
    fs::remove(command.training.checkpoint);
  }
  return {result, summarize_training(result, (out / "model.onnx").string())};
}

}  // namespace trimtab::cli
