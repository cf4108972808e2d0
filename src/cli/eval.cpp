#include "cli/eval.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "cli/commands.h"
#include "cli/surroundings.h"
#include "data/dataset.h"
#include "data/npy.h"
#include "measure/score_json.h"
#include "measure/warnings.h"
#include "program/evaluate.h"
#include "program/program_file.h"

namespace trimtab::cli {
namespace {

void check_point(const Program& program, std::size_t point) {
  if (point >= program.points.size()) {
    throw bad_input("--point is {}; the program has {} operating points, numbered from 0", point,
                    program.points.size());
  }
}

/// The task that `fit` deployed the program for, where its result.json stands beside it.
StoredTask stored_task(const std::filesystem::path& program) {
  const std::filesystem::path result = program.parent_path() / "result.json";
  if (!std::filesystem::exists(result)) return {};
  const auto json = nlohmann::ordered_json::parse(read_text(result), nullptr, false);
  if (!json.is_object() || !json.contains("task")) return {};
  return read_task(json.at("task"), result.string());
}

}  // namespace

Task task_of_program(const EvalOptions& options, const Program& program, const std::filesystem::path& path,
                     const Dataset& data) {
  StoredTask stored = stored_task(path);
  const TaskChoice words = task_choice(options.task);
  const NetworkOutput output = output_of(program);
  if (words.kind || stored.choice.kind == TaskKind::outputs) stored.choice = {};
  if (words.kind) stored.choice.kind = words.kind;
  if (words.threshold) stored.choice.threshold = words.threshold;
  if (!options.preprocessing.empty()) {
    stored.pixels = parse_preprocessing(options.preprocessing, data.shape.at(0));
  }
  Task task = choose_task(stored.choice, output, data, stored.pixels);
  if (!words.kind && stored.choice.kind) task.reason = "as result.json beside it says";
  return task;
}

namespace {

/// Measures the integer program of a finished folder.
Result run_program(EvalOptions& options) {
  const std::filesystem::path model = options.model;
  const std::filesystem::path path = std::filesystem::is_directory(model) ? model / "program.bin" : model;
  const Program program = load_program(path);
  const Buffer& input = nth(program.buffers, program.input);
  const Dataset data =
      load_eval_data(options, {input.channels, input.height, input.width}, without_grids(program.input_parts));
  check_point(program, options.point);
  EvalResult result;
  result.task = task_of_program(options, program, path, data);
  OutputFile file(options, result.task);
  AnswerCount answers(result.task);
  ProgramEvaluateOptions evaluation;
  evaluation.threads = options.common.threads;
  evaluation.point = options.point;
  evaluation.task = result.task;
  evaluation.observe = [&](std::int64_t, std::span<const float> outputs) {
    file.add(outputs);
    answers.add(outputs);
  };
  const ProgramEvaluation measured = evaluate_program(program, data, evaluation);
  file.write();
  result.score = measured.score;
  result.json["point"] = options.point;
  result.kind = "integer program";
  if (program.points.size() > 1)
    result.more += fmt::format("operating point {} of {}\n", options.point, program.points.size());
  for (std::size_t l = 0; l < measured.levels.size(); ++l) {
    const std::string& name = program.levels[l].name;
    result.json["levels"].push_back({{"level", name}, {"top1", measured.levels[l].top1}});
    result.more += fmt::format("{:<16} {:>3} classes  top-1 {:.2f} %\n", name, program.levels[l].classes.size(),
                               measured.levels[l].top1);
  }
  if (const auto absent = absent_classes_warning(result.task, data, "data")) result.warnings.push_back(*absent);
  if (const auto one = answers.warning("the integer network", data)) result.warnings.push_back(*one);
  return describe(options, result, "");
}

/// The name of an output without what has a meaning in paths.
std::string file_name_of(std::string name) {
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '-' && c != '_'; }, '_');
  return name;
}

Result run_eval(EvalOptions& options) {
  const std::filesystem::path model = options.model;
  const bool program = std::filesystem::is_directory(model) || model.extension() == ".bin";
  return program ? run_program(options) : evaluate_network(options);
}

}  // namespace

Dataset load_eval_data(EvalOptions& options, const Shape& input, const std::vector<JoinedPart>& parts) {
  options.source.parts = parts;
  options.source.shape = input;
  options.source.seed = options.common.seed;
  Dataset data = load_dataset(options.data, options.split == "train" ? Split::train : Split::test, options.source);
  return options.task.unlabelled ? without_answers(std::move(data)) : data;
}

void OutputFile::add(std::span<const float> outputs) {
  if (!path_.empty()) numbers_.insert(numbers_.end(), outputs.begin(), outputs.end());
}

void OutputFile::write() const {
  if (path_.empty()) return;
  const std::int64_t samples = std::ssize(numbers_) / element_count(shape_);
  const auto shape_of = [&](Shape shape) {
    shape.insert(shape.begin(), samples);
    return shape;
  };
  if (parts_.empty()) {
    write_npy(path_, shape_of(shape_), numbers_);
    return;
  }
  std::int64_t begin = 0;
  for (const JoinedPart& part : parts_) {  // FILE.npy becomes FILE-NAME.npy
    const std::int64_t size = element_count(part.shape);
    std::vector<float> own;
    for (std::int64_t i = 0; i < samples; ++i) {
      const auto first = numbers_.begin() + i * element_count(shape_) + begin;
      own.insert(own.end(), first, first + size);
    }
    std::filesystem::path file = path_;
    file.replace_filename(fmt::format("{}-{}.npy", file.stem().string(), file_name_of(part.name)));
    write_npy(file, shape_of(part.shape), own);
    begin += size;
  }
}

Result describe(const EvalOptions& options, const EvalResult& result, const std::string& suffix) {
  nlohmann::ordered_json json = {{"model", options.model}, {"data", options.data}};
  json.update(result.json);
  json["task"] = to_json(result.task);
  json["samples"] = result.score.samples;
  add_score(json, result.score, suffix);
  if (!options.outputs.empty()) json["outputs"] = options.outputs;
  json["warnings"] = result.warnings;
  json["version"] = TRIMTAB_VERSION;
  std::string text = fmt::format("{}: {} on {} samples ({})\ntask: {}\n{}", options.model, summary(result.score),
                                 result.score.samples, result.kind, describe(result.task), result.more);
  if (!options.outputs.empty()) {
    const bool several = result.task.parts.size() > 1;
    text += fmt::format("answers written to {}{}\n", options.outputs, several ? ", one file for each output" : "");
  }
  return {json, text};
}

void add_eval(CLI::App& app, const Surroundings& around) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command = app.add_subcommand("eval", "measure how good a network is on data, and write what it answers");
  add_model(*command, options->model, options->choice)->required();
  add_data_option(*command, options->data)->required();
  add_preprocessing_option(*command, options->preprocessing)
      ->default_str("preprocessing.toml beside the model, or none");
  add_split_option(*command, options->split);
  add_limit_option(*command, options->source.limit);
  add_resize_option(*command, options->source.resize);
  add_label_offset_option(*command, options->source.label_offset);
  add_unlabelled_flag(*command, options->task.unlabelled);
  add_task_options(*command, options->task);
  command
      ->add_option("--outputs", options->outputs,
                   "NumPy file for the answers to all samples, as real numbers, channels first")
      ->type_name("FILE.npy");
  add_point_option(*command, options->point);
  add_batch_size_option(*command, options->evaluation.batch_size);
  add_device_option(*command, options->evaluation.device);
  add_common_options(*command, options->common,
                     "trimtab eval resnet8.onnx --data cifar10:cifar-10-batches-bin --preprocessing none");
  command->callback([options, &around] { around.deliver(run_eval(*options), options->common.json); });
}

}  // namespace trimtab::cli
