#include "cli/eval.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/index.h"
#include "cli/commands.h"
#include "data/dataset.h"
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

/// Measures the integer program of a finished folder.
void run_program(EvalOptions& options) {
  const std::filesystem::path path = options.model;
  const Program program = load_program(std::filesystem::is_directory(path) ? path / "program.bin" : path);
  const Buffer& input = nth(program.buffers, program.input);
  options.source.shape = {input.channels, input.height, input.width};
  options.source.seed = options.common.seed;
  const Dataset data =
      load_dataset(options.data, options.split == "train" ? Split::train : Split::test, options.source);
  check_point(program, options.point);
  const ProgramEvaluation result = evaluate_program(program, data, options.common.threads, options.point);
  if (options.common.json) {
    nlohmann::ordered_json json = {{"model", options.model}, {"data", options.data}, {"samples", result.samples},
                                   {"top1", result.top1},    {"top5", result.top5},  {"point", options.point}};
    for (std::size_t l = 0; l < result.levels.size(); ++l) {
      json["levels"].push_back({{"level", program.levels[l].name}, {"top1", result.levels[l].top1}});
    }
    json["version"] = TRIMTAB_VERSION;
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}: top-1 {:.2f} %, top-5 {:.2f} % on {} samples (integer program)\n", options.model, result.top1,
             result.top5, result.samples);
  if (program.points.size() > 1) fmt::print("operating point {} of {}\n", options.point, program.points.size());
  for (std::size_t l = 0; l < result.levels.size(); ++l) {
    fmt::print("{:<16} {:>3} classes  top-1 {:.2f} %\n", program.levels[l].name, program.levels[l].classes.size(),
               result.levels[l].top1);
  }
}

void run_eval(EvalOptions& options) {
  if (std::filesystem::is_directory(options.model) || std::filesystem::path(options.model).extension() == ".bin") {
    run_program(options);
  } else {
    evaluate_network(options);
  }
}

}  // namespace

void add_eval(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command = app.add_subcommand("eval", "measure a network's accuracy on labelled data");
  add_model(*command, options->model, options->choice)->required();
  add_data_option(*command, options->data)->required();
  add_preprocessing_option(*command, options->preprocessing)
      ->default_str("preprocessing.toml beside the model, or none");
  add_split_option(*command, options->split);
  add_limit_option(*command, options->source.limit);
  add_resize_option(*command, options->source.resize);
  add_label_offset_option(*command, options->source.label_offset);
  add_point_option(*command, options->point);
  add_batch_size_option(*command, options->evaluation.batch_size);
  add_device_option(*command, options->evaluation.device);
  add_common_options(*command, options->common,
                     "trimtab eval resnet8.onnx --data cifar10:cifar-10-batches-bin --preprocessing none");
  command->callback([options] { run_eval(*options); });
}

}  // namespace trimtab::cli
