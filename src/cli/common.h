#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "import/import_options.h"
#include "measure/task.h"

namespace trimtab::cli {

/// Options that every command has.
struct CommonOptions {
  bool json = false;
  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: all cores
};

/// Adds --json, --seed and --threads, and `example` (a whole command line) to the command's --help.
void add_common_options(CLI::App& command, CommonOptions& options, const std::string& example);

/// Prints the result as JSON or as text for people.
void print(const Result& result, bool json);

// Options that several commands share. Each is added by its function alone, so that it has one spelling and one meaning
// (docs/options.md lists all options). They return the option, for a default or a check that only one command has.

/// The command line's answers to questions that a model's file leaves open.
struct ModelChoice {
  std::string input_shape;
  std::vector<std::string> outputs;
  std::string memory_limit;
};
[[nodiscard]] ImportOptions import_options(const ModelChoice& choice);

/// The words of the command line about the task.
struct TaskWords {
  std::string task;
  std::string threshold;
  bool unlabelled = false;
};
[[nodiscard]] TaskChoice task_choice(const TaskWords& words);

/// --task and --threshold.
void add_task_options(CLI::App& command, TaskWords& words);
CLI::Option* add_unlabelled_flag(CLI::App& command, bool& unlabelled);

/// Prints "warning: ..." lines on standard error.
void print_warnings(const std::vector<std::string>& warnings);

/// --deadline, in milliseconds.
CLI::Option* add_deadline_option(CLI::App& command, double& deadline_ms);
/// --period, in milliseconds.
CLI::Option* add_period_option(CLI::App& command, double& period_ms);

/// The positional MODEL, with --input-shape and --output.
CLI::Option* add_model(CLI::App& command, std::string& model, ModelChoice& choice);
/// The positional OUT of commands that read a finished folder.
CLI::Option* add_finished_folder(CLI::App& command, std::string& folder);
CLI::Option* add_finished_folders(CLI::App& command, std::vector<std::string>& folders);
CLI::Option* add_out_option(CLI::App& command, std::string& out, const std::string& kind = "FOLDER");
CLI::Option* add_json_flag(CLI::App& command, bool& json);

CLI::Option* add_data_option(CLI::App& command, std::string& data);
CLI::Option* add_train_data_option(CLI::App& command, std::string& data);
CLI::Option* add_preprocessing_option(CLI::App& command, std::string& preprocessing);
CLI::Option* add_split_option(CLI::App& command, std::string& split);
CLI::Option* add_shape_option(CLI::App& command, std::string& shape);
CLI::Option* add_limit_option(CLI::App& command, std::int64_t& limit);
CLI::Option* add_resize_option(CLI::App& command, std::int64_t& resize);
CLI::Option* add_label_offset_option(CLI::App& command, std::int64_t& label_offset);
CLI::Option* add_level_sizes_option(CLI::App& command, std::vector<std::int64_t>& sizes);

CLI::Option* add_epochs_option(CLI::App& command, std::int64_t& epochs);
CLI::Option* add_learning_rate_option(CLI::App& command, double& learning_rate);
CLI::Option* add_teacher_option(CLI::App& command, std::string& teacher);
CLI::Option* add_batch_size_option(CLI::App& command, std::int64_t& batch_size);
CLI::Option* add_calibration_samples_option(CLI::App& command, std::int64_t& samples);
CLI::Option* add_threads_per_trial_option(CLI::App& command, int& threads);
CLI::Option* add_device_option(CLI::App& command, std::string& device);
CLI::Option* add_bfloat16_flag(CLI::App& command, bool& bfloat16);

CLI::Option* add_target_option(CLI::App& command, std::string& target);
CLI::Option* add_optimize_option(CLI::App& command, std::string& optimize);
CLI::Option* add_input_option(CLI::App& command, std::string& input);
CLI::Option* add_flash_option(CLI::App& command, std::string& flash);
CLI::Option* add_frontier_flag(CLI::App& command, bool& frontier);
CLI::Option* add_name_option(CLI::App& command, std::string& name);
CLI::Option* add_ram_option(CLI::App& command, std::string& ram);
CLI::Option* add_point_option(CLI::App& command, std::size_t& point);
CLI::Option* add_verify_option(CLI::App& command, std::int64_t& samples);
CLI::Option* add_dump_passes_option(CLI::App& command, std::filesystem::path& folder);

/// The whole number in `text`. Throws Error (bad input) that names the option.
[[nodiscard]] std::int64_t parse_number(std::string_view text, const char* option);

/// The numbers in "3x96x96". Throws Error (bad input) that names the option.
[[nodiscard]] Shape parse_shape(const std::string& text, const char* option);

}  // namespace trimtab::cli
