#include "cli/eval.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "data/dataset.h"
#include "program/evaluate.h"
#include "program/program_file.h"

namespace trimtab::cli {
namespace {

/// Measures the integer program of a finished folder of `trimtab fit`.
void run_program(EvalOptions& options) {
  const std::filesystem::path path = options.model;
  const Program program = load_program(std::filesystem::is_directory(path) ? path / "program.bin" : path);
  const Buffer& input = program.buffers[static_cast<std::size_t>(program.input)];
  options.source.shape = {input.channels, input.height, input.width};
  options.source.seed = options.common.seed;
  const Dataset data =
      load_dataset(options.data, options.split == "train" ? Split::train : Split::test, options.source);
  const ProgramEvaluation result = evaluate_program(program, data, options.common.threads);
  if (options.common.json) {
    const nlohmann::json json = {{"model", options.model}, {"data", options.data}, {"samples", result.samples},
                                 {"top1", result.top1},    {"top5", result.top5},  {"version", TRIMTAB_VERSION}};
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}: top-1 {:.2f} %, top-5 {:.2f} % on {} samples (integer program)\n", options.model, result.top1,
             result.top5, result.samples);
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
  add_model(*command, options->model)->required();
  add_data_option(*command, options->data)->required();
  add_preprocessing_option(*command, options->preprocessing)
      ->default_str("preprocessing.toml beside the model, or none");
  add_split_option(*command, options->split);
  add_limit_option(*command, options->source.limit);
  add_resize_option(*command, options->source.resize);
  add_label_offset_option(*command, options->source.label_offset);
  add_batch_size_option(*command, options->evaluation.batch_size);
  add_device_option(*command, options->evaluation.device);
  add_common_options(*command, options->common,
                     "trimtab eval resnet8.onnx --data cifar10:cifar-10-batches-bin --preprocessing none");
  command->callback([options] { run_eval(*options); });
}

}  // namespace trimtab::cli
