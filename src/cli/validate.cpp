#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "base/json_text.h"
#include "cli/commands.h"
#include "cli/eval.h"
#include "emit/board/result.h"
#include "emit/board/serial_port.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "program/program_file.h"
#include "report/report.h"

namespace trimtab::cli {
namespace {

namespace fs = std::filesystem;

/// The folder is `eval.model`, and the samples and the task are chosen as eval chooses them.
struct ValidateOptions {
  EvalOptions eval;
  std::string port;
  std::int64_t baud = 115200;
  double timeout = 1;
  bool estimate = true;
};

/// The manifest of OUT/device, for the target and what is known of its time; nothing of it is needed for the answers.
struct DeviceNotes {
  std::string target;
  Optimize optimize = Optimize::speed;
  InputForm input = InputForm::whole;
  ScheduleLimits limits;  ///< of the schedule that was deployed
  double latency_ms = 0;
};

DeviceNotes read_notes(const fs::path& out) {
  DeviceNotes notes;
  const fs::path file = out / "device" / "manifest.json";
  if (!fs::exists(file)) return notes;
  const auto json = nlohmann::json::parse(read_text(file), nullptr, false);
  if (!json.is_object()) return notes;
  const auto text = [&](const char* key) {
    return json.contains(key) && json.at(key).is_string() ? json.at(key).get<std::string>() : std::string();
  };
  notes.target = text("target");
  if (text("optimize") == "size") notes.optimize = Optimize::size;
  notes.input = parse_input_form(text("input"));
  if (json.contains("result") && json.at("result").is_object()) {
    const auto& lower = json.at("result").value("latency_lower_ms", nlohmann::json());
    if (lower.is_number()) notes.latency_ms = lower.get<double>();
    const auto& arena = json.at("result").value("arena_bytes", nlohmann::json());
    if (arena.is_number_integer()) notes.limits.arena_bytes = arena.get<std::int64_t>();
  }
  return notes;
}

LinkPatience patience_of(const ValidateOptions& options, const DeviceNotes& notes) {
  const auto milliseconds = [](double count) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(std::min(count, 1e9))));
  };
  LinkPatience patience;
  patience.answer = milliseconds(options.timeout * 1000);
  patience.run = milliseconds(options.timeout * 1000 + 10 * notes.latency_ms);
  return patience;
}

/// Estimates need the target, the compiler and the emulator. Where one is missing a warning says so.
void add_estimates(ValidationRun& run, const Program& program, const DeviceNotes& notes) {
  try {
    if (notes.target.empty()) throw bad_input("{} has no device/manifest.json", run.out);
    const Target target = load_target(notes.target);
    const Schedule plan = schedule(program, core_of(target), notes.optimize, notes.limits, notes.input);
    run.costs = measure_steps(program, plan, with_memory_of_board(target), run.point);
    run.target = target;
  } catch (const Error& error) {
    run.warnings.push_back(fmt::format("there is no estimate of cycles: {}", error.what()));
  }
}

/// The folder's report shows the validation from now on. A folder without a result has no report.
void renew_report(const fs::path& out) {
  if (!fs::exists(out / "result.json")) return;
  try {
    write_report(out);
  } catch (const Error& error) {
    print_warnings({fmt::format("the report was not made again: {}", error.what())});
  }
}

void run_validate(ValidateOptions& options) {
  const fs::path out = options.eval.model;
  const fs::path file = out / "program.bin";
  if (!fs::exists(file)) throw bad_input("{} has no program.bin; give a folder that fit or scale made", out.string());
  const Program program = load_program(file);
  const Buffer& input = nth(program.buffers, program.input);
  if (options.eval.point >= program.points.size()) {
    throw bad_input("--point is {}; the program has {} operating points, numbered from 0", options.eval.point,
                    program.points.size());
  }
  const DeviceNotes notes = read_notes(out);
  SerialPort port(options.port, options.baud);
  const Dataset data =
      load_eval_data(options.eval, {input.channels, input.height, input.width}, without_grids(program.input_parts));
  ValidationRun run;
  run.out = options.eval.model;
  run.port = options.port;
  run.baud = options.baud;
  run.data = options.eval.data;
  run.point = options.eval.point;
  run.task = task_of_program(options.eval, program, file, data);
  BoardLink link(port, patience_of(options, notes));
  const Validation validation = validate_on_board(program, run.point, data, run.task, link);
  if (options.estimate) add_estimates(run, program, notes);
  const Result result = describe(validation, run, program);
  write_file(out / "validation.json", json_text(result.json, 2) + "\n");
  renew_report(out);
  print_warnings(run.warnings);
  print(result, options.eval.common.json);
  if (validation.differing_samples > 0) {
    throw failure("the board answers otherwise than this machine in {} of {} samples; sample {} is the first",
                  validation.differing_samples, validation.samples, *validation.first_differing);
  }
}

}  // namespace

void add_validate(CLI::App& app) {
  auto options = std::make_shared<ValidateOptions>();
  EvalOptions& eval = options->eval;
  CLI::App* command = app.add_subcommand("validate", "run samples on a real board, and compare every bit");
  add_finished_folder(*command, eval.model);
  command->add_option("--port", options->port, "serial port of the board")->type_name("DEVICE")->required();
  command->add_option("--baud", options->baud, "speed of the serial port")
      ->check(CLI::IsMember(SerialPort::speeds()))
      ->capture_default_str();
  command->add_option("--timeout", options->timeout, "seconds without an answer after which a request is sent again")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  command->add_flag("!--no-estimate", options->estimate, "do not estimate cycles in the emulator beside the board's");
  add_data_option(*command, eval.data)->required();
  add_split_option(*command, eval.split);
  add_limit_option(*command, eval.source.limit);
  add_resize_option(*command, eval.source.resize);
  add_label_offset_option(*command, eval.source.label_offset);
  add_unlabelled_flag(*command, eval.task.unlabelled);
  add_task_options(*command, eval.task);
  add_point_option(*command, eval.point);
  add_common_options(*command, eval.common,
                     "trimtab validate out/ --port /dev/ttyACM0 --data cifar10:cifar-10-batches-bin --limit 100");
  command->callback([options] { run_validate(*options); });
}

}  // namespace trimtab::cli
