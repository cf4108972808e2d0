#include "cli/common.h"
#include "cli/output.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/json_text.h"
#include "base/text.h"

namespace trimtab::cli {

void add_common_options(CLI::App& command, CommonOptions& options, const std::string& example) {
  add_json_flag(command, options.json);
  command.add_option("--seed", options.seed, "seed of all random numbers")->capture_default_str();
  command.add_option("--threads", options.threads, "number of threads; 0 uses all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.footer("Example:\n  " + example);
}

void print(const Result& result, bool json) { json ? print_json(result.json) : print_text("{}", result.text); }

ImportOptions import_options(const ModelChoice& choice) {
  ImportOptions options;
  if (!choice.input_shape.empty()) options.input_shape = parse_shape(choice.input_shape, "--input-shape");
  options.outputs = choice.outputs;
  return options;
}

CLI::Option* add_model(CLI::App& command, std::string& model, ModelChoice& choice) {
  command
      .add_option("--input-shape", choice.input_shape,
                  "MODEL's input without the batch, in its own order, such as 3x224x224, where the file leaves "
                  "dimensions free")
      ->default_str("as stored");
  command
      .add_option(
          "--output", choice.outputs,
          "name of an output of MODEL to keep, where it has several; repeat the option to keep more, one behind "
          "the other")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->default_str("the only one");
  command
      .add_option("--memory-limit", choice.memory_limit,
                  "memory that the maps of one sample may take in a layer of MODEL, such as 2GB")
      ->default_str("a quarter of what the machine has");
  return command.add_option(
      "MODEL", model,
      "the network: an ONNX or TensorFlow Lite file; eval and inspect also take a folder that fit or scale made, or "
      "its program.bin");
}

TaskChoice task_choice(const TaskWords& words) {
  TaskChoice choice;
  if (!words.task.empty()) choice.kind = parse_task(words.task);
  if (!words.threshold.empty()) {
    double number = 0;
    const char* end = words.threshold.data() + words.threshold.size();
    const auto [last, error] = std::from_chars(words.threshold.data(), end, number);
    if (error != std::errc{} || last != end || !std::isfinite(number))
      throw bad_input("--threshold has '{}' where a number is needed", words.threshold);
    choice.threshold = number;
  }
  return choice;
}

void add_task_options(CLI::App& command, TaskWords& words) {
  command
      .add_option("--task", words.task,
                  "what the network does: classification, binary, regression, reconstruction, anomaly, segmentation or "
                  "outputs")
      ->check(CLI::IsMember(task_names()))
      ->default_str("what outputs and labels say");
  command.add_option("--threshold", words.threshold, "one output: answers above it are class 1")
      ->default_str("0.5 behind a Sigmoid, else 0");
}

CLI::Option* add_unlabelled_flag(CLI::App& command, bool& unlabelled) {
  return command.add_flag("--unlabelled", unlabelled,
                          "ignore the labels and measure only how near integers and float are");
}

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) fmt::print(stderr, "warning: {}\n", warning);
}

namespace {
constexpr const char* finished_folder =
    "folder that a command finished; package, validate, explain and variants take those of fit or scale";
}

CLI::Option* add_finished_folder(CLI::App& command, std::string& folder) {
  return command.add_option("OUT", folder, finished_folder)->required();
}

CLI::Option* add_finished_folders(CLI::App& command, std::vector<std::string>& folders) {
  return command.add_option("OUT", folders, finished_folder)->required();
}

CLI::Option* add_deadline_option(CLI::App& command, double& deadline_ms) {
  return command.add_option("--deadline", deadline_ms, "milliseconds that an inference may take; 0 has no deadline")
      ->capture_default_str();
}

CLI::Option* add_period_option(CLI::App& command, double& period_ms) {
  return command
      .add_option("--period", period_ms,
                  "milliseconds from one inference to the next, between which the target sleeps; the program runs at "
                  "the clock of the least energy per period; 0: the energy of an inference alone counts")
      ->capture_default_str();
}

CLI::Option* add_out_option(CLI::App& command, std::string& out, const std::string& kind) {
  return command.add_option("-o,--out", out, "where the result is written")->type_name(kind);
}

CLI::Option* add_json_flag(CLI::App& command, bool& json) {
  return command.add_flag("--json", json, "print the result as JSON");
}

CLI::Option* add_data_option(CLI::App& command, std::string& data) {
  return command.add_option("--data", data,
                            "samples: cifar10:PATH, images:FOLDER, npy:X.npy[,Y.npy], npz:FILE.npz or "
                            "synthetic:shapes[:COUNT]");
}

CLI::Option* add_train_data_option(CLI::App& command, std::string& data) {
  return command.add_option("--train-data", data, "samples to train on, described as for --data");
}

CLI::Option* add_preprocessing_option(CLI::App& command, std::string& preprocessing) {
  return command.add_option("--preprocessing", preprocessing,
                            "preprocessing of the samples: none, unit, imagenet, mobilenet, cifar10 or a TOML file; "
                            "train also takes auto, which measures mean and deviation of its samples");
}

CLI::Option* add_split_option(CLI::App& command, std::string& split) {
  return command.add_option("--split", split, "the part to use of data that has two parts")
      ->check(CLI::IsMember({"train", "test"}))
      ->capture_default_str();
}

CLI::Option* add_shape_option(CLI::App& command, std::string& shape) {
  return command
      .add_option("--shape", shape,
                  "resize and crop pictures to this shape, CHANNELSxHEIGHTxWIDTH, for instance 3x96x96")
      ->default_str("as stored");
}

CLI::Option* add_limit_option(CLI::App& command, std::int64_t& limit) {
  return command.add_option("--limit", limit, "use at most this many samples of each part, spread evenly; 0 uses all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

CLI::Option* add_resize_option(CLI::App& command, std::int64_t& resize) {
  return command
      .add_option("--resize", resize,
                  "resize the shorter side of pictures to this many pixels before the centre crop; 0 resizes to the "
                  "crop")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

CLI::Option* add_label_offset_option(CLI::App& command, std::int64_t& label_offset) {
  return command
      .add_option("--label-offset", label_offset, "add this to every label; 1 if output 0 is a background class")
      ->capture_default_str();
}

CLI::Option* add_level_sizes_option(CLI::App& command, std::vector<std::int64_t>& sizes) {
  return command.add_option("--level-sizes", sizes, "most classes of each level that WordNet is cut into")
      ->delimiter(',')
      ->capture_default_str();
}

CLI::Option* add_epochs_option(CLI::App& command, std::int64_t& epochs) {
  return command.add_option("--epochs", epochs, "passes over the training samples; fit and scale do not train at 0")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
}

CLI::Option* add_learning_rate_option(CLI::App& command, double& learning_rate) {
  return command.add_option("--learning-rate", learning_rate, "highest learning rate; it falls as a cosine")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

CLI::Option* add_teacher_option(CLI::App& command, std::string& teacher) {
  return command.add_option("--teacher", teacher, "network to distil from, with the same inputs and classes");
}

CLI::Option* add_batch_size_option(CLI::App& command, std::int64_t& batch_size) {
  return command.add_option("--batch-size", batch_size, "samples per batch")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
}

CLI::Option* add_calibration_samples_option(CLI::App& command, std::int64_t& samples) {
  return command
      .add_option("--calibration-samples", samples, "samples that set the ranges of the activations; 0 uses all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

CLI::Option* add_threads_per_trial_option(CLI::App& command, int& threads) {
  return command
      .add_option("--threads-per-trial", threads,
                  "threads of one trial of a search; results depend on it, and as many trials run at once as --threads "
                  "allows")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

CLI::Option* add_device_option(CLI::App& command, std::string& device) {
  return command.add_option("--device", device, "device of libtorch: auto, cpu or cuda[:N]")->capture_default_str();
}

CLI::Option* add_bfloat16_flag(CLI::App& command, bool& bfloat16) {
  return command.add_flag(
      "--bfloat16", bfloat16,
      "train in bfloat16: faster on GPUs and on processors with AMX or AVX-512 BF16, slower elsewhere");
}

CLI::Option* add_target_option(CLI::App& command, std::string& target) {
  return command
      .add_option("--target", target,
                  "device: a name of targets/ or a TOML file; fit and inspect also take host, this machine")
      ->capture_default_str();
}

CLI::Option* add_optimize_option(CLI::App& command, std::string& optimize) {
  return command.add_option("--optimize", optimize, "choose kernels for speed or for size")
      ->check(CLI::IsMember({"speed", "size"}))
      ->capture_default_str();
}

CLI::Option* add_input_option(CLI::App& command, std::string& input) {
  return command
      .add_option(
          "--input", input,
          "how the program takes its input: whole, or rows: they are pushed as a camera or a front end delivers "
          "them, and only those that are still needed take memory")
      ->check(CLI::IsMember({"whole", "rows"}));
}

CLI::Option* add_flash_option(CLI::App& command, std::string& flash) {
  return command.add_option("--flash", flash, "bound on flash, such as 64KB")->default_str("all of the target");
}

CLI::Option* add_frontier_flag(CLI::App& command, bool& frontier) {
  return command.add_flag("--frontier", frontier,
                          "also measure how much time the program takes with less and with more RAM: frontier.svg");
}

CLI::Option* add_ram_option(CLI::App& command, std::string& ram) {
  return command.add_option("--ram", ram, "bound on RAM including the stack, such as 48KB")
      ->default_str("all of the target");
}

CLI::Option* add_name_option(CLI::App& command, std::string& name) {
  return command
      .add_option("--name", name, "prefix of the device's C functions and files: letters, digits and underscores")
      ->default_str("the model's name");
}

CLI::Option* add_point_option(CLI::App& command, std::size_t& point) {
  return command.add_option("--point", point, "operating point of a program")->capture_default_str();
}

CLI::Option* add_verify_option(CLI::App& command, std::int64_t& samples) {
  return command
      .add_option("--verify", samples, "samples that run on the emulated microcontroller and are compared bit for bit")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
}

CLI::Option* add_dump_passes_option(CLI::App& command, std::filesystem::path& folder) {
  return command
      .add_option("--dump-passes", folder, "folder for the network as every pass leaves it, as numbered text files")
      ->type_name("DIR");
}

std::int64_t parse_number(std::string_view text, const char* option) {
  if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != std::string_view::npos) {
    throw bad_input("{} has '{}' where a whole number is needed", option, text);
  }
  return std::stoll(std::string(text));
}

Shape parse_shape(const std::string& text, const char* option) {
  Shape result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('x', begin), text.size());
    result.push_back(parse_number(std::string_view(text).substr(begin, end - begin), option));
    begin = end + 1;
  }
  return result;
}

}  // namespace trimtab::cli
