#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_data.h"
#include "data/dataset.h"
#include "graph/onnx.h"
#include "program/program_file.h"
#include "search/fit.h"

namespace trimtab::cli {
namespace {

namespace fs = std::filesystem;

struct FitCommand {
  CommonOptions common;
  std::string model;
  std::string data;
  std::string train_data;
  std::string preprocessing;
  std::string target = "stm32f412";
  std::string flash;
  std::string ram;
  std::string plan;
  std::string calibration = "mse";
  std::string optimize = "speed";
  std::string out;
  DataOptions source;
  bool unlabelled = false;
  std::int64_t epochs = 0;
  FitOptions options;
};

/// A folder beside what will be there in the end: it takes its place only when all is done, and is gone otherwise.
class StagingFolder {
 public:
  explicit StagingFolder(const fs::path& out) : out_(out), was_there_(fs::exists(out)), path_(out / ".partial") {
    make_directory(out_);
    fs::remove_all(path_);
    make_directory(path_);
  }
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;
  StagingFolder(StagingFolder&&) = delete;
  StagingFolder& operator=(StagingFolder&&) = delete;
  ~StagingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    if (!was_there_ && fs::is_empty(out_, ignored)) fs::remove(out_, ignored);
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

  /// Moves everything to its place, result.json last: where it is, the rest is there.
  void commit() const {
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
      if (entry.path().filename() == "result.json") continue;
      fs::remove_all(out_ / entry.path().filename());
      fs::rename(entry.path(), out_ / entry.path().filename());
    }
    fs::rename(path_ / "result.json", out_ / "result.json");
  }

 private:
  fs::path out_;
  bool was_there_;
  fs::path path_;
};

RangeMethod parse_range_method(const std::string& word) {
  if (word == "min-max") return RangeMethod::min_max;
  if (word == "percentile") return RangeMethod::percentile;
  return RangeMethod::mse;
}

nlohmann::ordered_json plan_json(const Plan& plan) {
  auto layers = nlohmann::ordered_json::array();
  for (const LayerPlan& layer : plan.layers) {
    layers.push_back({{"layer", layer.layer},
                      {"filters", layer.filters},
                      {"weight_bits", layer.weight_bits},
                      {"activation_bits", layer.activation_bits}});
  }
  return layers;
}

std::int64_t weights_bytes(const Program& program) {
  std::int64_t bytes = 0;
  for (const Step& step : program.steps) {
    const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
    if (convolution != nullptr)
      bytes += (static_cast<std::int64_t>(convolution->weights.size()) * convolution->convolution.weight_bits + 7) / 8;
  }
  return bytes;
}

/// What was measured on the device and the bounds it was held against.
void add_deployment(nlohmann::ordered_json& json, const FitCommand& command, const Deployment& deployment) {
  const Target& target = *command.options.target;
  json["target"] = target.name;
  json["flash_bytes"] = deployment.flash_bytes();
  json["ram_bytes"] = deployment.ram_bytes();
  json["stack_bytes"] = deployment.stack_bytes;
  json["arena_bytes"] = deployment.arena_bytes;
  json["text_bytes"] = deployment.image.text;
  json["rodata_bytes"] = deployment.image.rodata;
  json["instructions"] = deployment.instructions;
  json["device"] = {
      {"machine", target.emulated_board}, {"samples", deployment.samples}, {"mismatches", deployment.mismatches}};
  json["bounds"] = {{"flash_bytes", command.options.bounds.flash_bytes},
                    {"ram_bytes", command.options.bounds.ram_bytes}};
}

nlohmann::ordered_json result_json(const FitCommand& command, const FitResult& result, double seconds) {
  nlohmann::ordered_json json = {{"model", command.model}, {"data", command.data}};
  if (command.options.labelled) {
    json["top1"] = result.top1;
    json["top5"] = result.top5;
    json["top1_float"] = result.top1_float;
  }
  json["agreement"] = result.agreement;
  json["samples"] = result.samples;
  json["weights_bytes"] = weights_bytes(result.program);
  if (result.deployment.has_value()) add_deployment(json, command, *result.deployment);
  json["plan"] = plan_json(result.program.plan);
  json["epochs"] = command.epochs;
  json["seed"] = command.common.seed;
  json["wall_s"] = seconds;
  json["version"] = TRIMTAB_VERSION;
  return json;
}

std::string summary(const FitCommand& command, const FitResult& result) {
  std::string text =
      command.options.labelled
          ? fmt::format("top-1         {:.2f} % of {} samples as integers, {:.2f} % in float; both agree on {:.2f} %\n",
                        result.top1, result.samples, result.top1_float, result.agreement)
          : fmt::format("agreement     {:.2f} % of {} samples get the float network's answer\n", result.agreement,
                        result.samples);
  const std::string model = fs::path(command.model).filename().string();
  const std::string files =
      "plan.toml             bits of every layer\nprogram.bin           the integer network, for 'trimtab eval' and "
      "'trimtab inspect'\n";
  if (!result.deployment.has_value()) {
    return fmt::format("{} as integers on this machine\n\n{}weights       {}\n\n{}", model, text,
                       format_bytes(weights_bytes(result.program)), files);
  }
  const Deployment& deployment = *result.deployment;
  const Target& target = *command.options.target;
  const Bounds& bounds = command.options.bounds;
  text += fmt::format("flash         {} of {}: weights {}, code {}\n", format_bytes(deployment.flash_bytes()),
                      format_bytes(bounds.flash_bytes), format_bytes(weights_bytes(result.program)),
                      format_bytes(deployment.image.text));
  text += fmt::format("RAM           {} of {}: arena {}, stack {}\n", format_bytes(deployment.ram_bytes()),
                      format_bytes(bounds.ram_bytes), format_bytes(deployment.arena_bytes),
                      format_bytes(deployment.stack_bytes));
  text += fmt::format("instructions  {} per inference\n", format_count(deployment.instructions));
  text += fmt::format("verified      {} samples on the emulated {}: {} numbers differ from the host's\n",
                      deployment.samples, target.emulated_board, deployment.mismatches);
  return fmt::format(
      "{} on {} ({})\n\n{}\ndevice/               C++ sources with a C header for your firmware\ndevice/firmware.elf   "
      "the image that was measured and run\n{}",
      model, target.name, target.description, text, files);
}

/// Samples without meaningful labels: those of the network take their place, so that whatever looks at labels sees
/// valid ones.
void forget_labels(Dataset& data, std::int64_t outputs) {
  std::fill(data.labels.begin(), data.labels.end(), 0);
  data.classes.clear();
  for (std::int64_t i = 0; i < outputs; ++i) data.classes.push_back(std::to_string(i));
}

void run_fit(FitCommand& command) {
  const auto start = std::chrono::steady_clock::now();
  FitOptions& options = command.options;
  if (command.target != "host") {
    options.target = load_target(command.target);
    options.bounds.flash_bytes =
        command.flash.empty() ? options.target->flash_bytes.value : parse_bytes(command.flash, "--flash");
    options.bounds.ram_bytes =
        command.ram.empty() ? options.target->ram_bytes.value : parse_bytes(command.ram, "--ram");
  } else if (!command.flash.empty() || !command.ram.empty()) {
    throw bad_input("--flash and --ram bound a microcontroller; with --target host there is none");
  }
  if (!command.plan.empty()) options.plan_file = command.plan;
  options.calibration.activations = parse_range_method(command.calibration);
  options.calibration.threads = command.common.threads;
  options.optimize = command.optimize == "size" ? Optimize::size : Optimize::speed;
  options.threads = command.common.threads;
  if (::isatty(STDERR_FILENO) == 1) options.report = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };

  const Graph graph = read_onnx(command.model);
  const Preprocessing preprocessing =
      choose_preprocessing(command.preprocessing, command.model, graph.input_shape()[0]);
  command.source.shape = graph.input_shape();
  command.source.seed = command.common.seed;
  Dataset test_data = load_dataset(command.data, Split::test, command.source);
  Dataset train_data =
      load_dataset(command.train_data.empty() ? command.data : command.train_data, Split::train, command.source);
  options.labelled = !command.unlabelled;
  if (command.unlabelled) {
    if (command.epochs > 0) throw bad_input("--epochs needs labels; leave --unlabelled out or give --epochs 0");
    forget_labels(test_data, element_count(graph.output_shape()));
    forget_labels(train_data, element_count(graph.output_shape()));
  }

  options.train = command.epochs > 0;
  options.training.training.epochs = command.epochs;
  options.training.training.seed = command.common.seed;
  options.training.training.threads = command.common.threads;
  options.training.calibration = options.calibration;
  options.training.directory = fs::path(command.out) / "training";

  const StagingFolder staging(command.out);
  const FitResult result = fit(graph, train_data, test_data, preprocessing, options, staging.path() / "device");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const nlohmann::ordered_json json = result_json(command, result, seconds);
  save_program(result.program, staging.path() / "program.bin");
  write_file(staging.path() / "plan.toml", to_toml(result.program.plan));
  write_file(staging.path() / "summary.txt", summary(command, result));
  write_file(staging.path() / "result.json", json.dump(2) + "\n");
  staging.commit();
  if (command.common.json) {
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}", summary(command, result));
  }
}

}  // namespace

void add_fit(CLI::App& app) {
  auto command = std::make_shared<FitCommand>();
  CLI::App* fit = app.add_subcommand("fit", "turn a trained network into a verified program for a microcontroller");
  fit->add_option("model", command->model, "trained network, ONNX")->required();
  fit->add_option("--data", command->data,
                  "samples to measure on: cifar10:DIR, images:DIR, npy:X.npy,Y.npy or synthetic:shapes")
      ->required();
  fit->add_option("--train-data", command->train_data,
                  "samples to calibrate and train on (default: the training part of --data)");
  fit->add_option("--preprocessing", command->preprocessing,
                  "none, unit, imagenet, mobilenet, cifar10 or a TOML file (default: preprocessing.toml beside the "
                  "model, or none)");
  fit->add_option("--resize", command->source.resize, "pictures: shorter side before the centre crop");
  fit->add_option("--label-offset", command->source.label_offset,
                  "added to every label: 1 where output 0 is a background class");
  fit->add_flag("--unlabelled", command->unlabelled,
                "the labels are not the network's: measure only how often integers and float agree");
  fit->add_option("--limit", command->source.limit, "use at most so many samples of each part, spread evenly");
  fit->add_option(
         "--target", command->target,
         "microcontroller: a name of targets/ or a TOML file; host: only the integer program, for this machine")
      ->capture_default_str();
  fit->add_option("--flash", command->flash, "bound on flash, such as 64KB (default: what the target has)");
  fit->add_option("--ram", command->ram, "bound on RAM with the stack, such as 48KB (default: what the target has)");
  fit->add_option("--weight-bits", command->options.weight_bits, "bits of every weight, 2 to 8")->capture_default_str();
  fit->add_option("--activation-bits", command->options.activation_bits, "bits of every activation: 2, 4 or 8")
      ->capture_default_str();
  fit->add_option("--plan", command->plan, "TOML file with the bits of single layers");
  fit->add_option("--epochs", command->epochs, "epochs of training under the plan; 0: quantize without training")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  fit->add_option("--learning-rate", command->options.training.training.learning_rate,
                  "highest learning rate of that training")
      ->capture_default_str();
  fit->add_option("--calibration", command->calibration, "how ranges are chosen")
      ->check(CLI::IsMember({"min-max", "percentile", "mse"}))
      ->capture_default_str();
  fit->add_option("--calibration-samples", command->options.calibration.samples,
                  "samples that ranges are chosen from; 0: all")
      ->capture_default_str();
  fit->add_option("--optimize", command->optimize, "prefer speed or size of the code")
      ->check(CLI::IsMember({"speed", "size"}))
      ->capture_default_str();
  fit->add_option("--verify", command->options.verify_samples,
                  "samples run on the emulated device and compared bit for bit")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  fit->add_option("-o,--out", command->out, "folder for the result")->required();
  add_common_options(*fit, command->common,
                     "trimtab fit model.onnx --data cifar10:cifar-10-batches-bin --target stm32f412 --flash 128KB "
                     "--weight-bits 4 --epochs 10 -o out/");
  fit->callback([command] { run_fit(*command); });
}

}  // namespace trimtab::cli
