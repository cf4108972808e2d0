#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_data.h"
#include "cli/surroundings.h"
#include "emit/explain.h"
#include "emit/firmware.h"
#include "emit/recipe.h"
#include "graph/summary.h"
#include "import/network_file.h"
#include "plan/layers.h"
#include "program/describe.h"
#include "program/integers.h"
#include "program/program_file.h"
#include "report/model_explorer.h"
#include "target/target.h"

namespace trimtab::cli {
namespace {

struct InspectOptions {
  CommonOptions common;
  std::string model;
  ModelChoice choice;
  std::string target = "stm32f412";
  std::string optimize = "speed";
  std::string input;
  std::size_t point = 0;
  std::string arena;
  bool draw_memory = false;
  bool explain = false;
  bool integers = false;
  std::string model_explorer;
};

nlohmann::json to_json(const std::vector<JoinedPart>& parts) {
  nlohmann::json json = nlohmann::json::array();
  for (const JoinedPart& part : parts) json.push_back({{"name", part.name}, {"shape", part.shape}});
  return json;
}

/// "3x32x32", or of several "image 3x32x32, speed 1".
std::string describe(const Shape& shape, const std::vector<JoinedPart>& parts) {
  std::string text = parts.empty() ? to_string(shape) : "";
  for (const JoinedPart& part : parts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", part.name, to_string(part.shape));
  return text;
}

nlohmann::json to_json(const Graph& graph, const GraphSummary& summary) {
  nlohmann::json layers = nlohmann::json::array();
  for (const NodeSummary& node : summary.nodes) {
    layers.push_back({{"name", node.name},
                      {"operator", node.type},
                      {"output_shape", node.output},
                      {"parameters", node.parameters},
                      {"macs", node.multiply_accumulates},
                      {"weight_bytes", node.weight_bytes},
                      {"activation_bytes", node.activation_bytes},
                      {"live_bytes", node.live_bytes}});
  }
  return {{"name", graph.name},
          {"input_shape", graph.input_shape()},
          {"output_shape", graph.output_shape()},
          {"inputs", to_json(graph.input_parts)},
          {"outputs", to_json(graph.output_parts)},
          {"layers", layers},
          {"parameters", summary.parameters},
          {"macs", summary.multiply_accumulates},
          {"weight_bytes", summary.weight_bytes},
          {"activation_bytes", summary.activation_bytes},
          {"peak_ram_bytes", summary.peak_ram_bytes},
          {"peak_ram_layer", summary.peak_node},
          {"version", TRIMTAB_VERSION}};
}

std::string table(const Graph& graph, const GraphSummary& summary) {
  std::size_t name = 4;
  for (const NodeSummary& node : summary.nodes) name = std::max(name, node.name.size());
  name = std::min<std::size_t>(name, 40);
  std::string text = fmt::format("{}: {} -> {}\n\n", graph.name, describe(graph.input_shape(), graph.input_parts),
                                 describe(graph.output_shape(), graph.output_parts));
  constexpr auto row = "{:<{}}  {:<18}  {:>13}  {:>11}  {:>14}  {:>11}  {:>11}\n";
  text += fmt::format(row, "name", name, "operator", "output", "parameters", "MACs", "weights", "activations");
  for (const NodeSummary& node : summary.nodes) {
    text += fmt::format(row, node.name, name, node.type, to_string(node.output), format_count(node.parameters),
                        format_count(node.multiply_accumulates), format_count(node.weight_bytes),
                        format_count(node.activation_bytes));
  }
  text += fmt::format(row, "total", name, "", "", format_count(summary.parameters),
                      format_count(summary.multiply_accumulates), format_count(summary.weight_bytes),
                      format_count(summary.activation_bytes));
  text += "\nweights: bytes as float32; activations: bytes of the output at 8 bits\n";
  text += fmt::format(
      "most activations alive at once at 8 bits: {} bytes ({}), at '{}'; a program may need less, where results are "
      "written over what has been read, or more for scratch memory (see inspect --draw-memory of a folder made by "
      "fit)\n",
      format_count(summary.peak_ram_bytes), format_bytes(summary.peak_ram_bytes), summary.peak_node);
  return text;
}

/// The schedule of a program: as the options say, else as it was made for this target in the folder.
Schedule schedule_of(const InspectOptions& options, const std::filesystem::path& path, const Program& program,
                     Core core) {
  ScheduleLimits limits;
  std::string input = options.input;
  if (!options.arena.empty()) limits.arena_bytes = options.arena == "0" ? 0 : parse_bytes(options.arena, "--arena");
  const std::filesystem::path result = path.parent_path() / "result.json";
  if (std::filesystem::exists(result)) {
    const auto json = nlohmann::json::parse(read_text(result), nullptr, false);
    const bool of_target = json.is_object() && json.value("target", nlohmann::json()) == options.target;
    const auto arena = of_target ? json.find("arena_bytes") : json.end();
    const auto form = of_target ? json.find("input") : json.end();
    if (input.empty() && form != json.end() && form->is_string()) input = form->get<std::string>();
    const bool made_so = form == json.end() || *form == input;
    if (options.arena.empty() && made_so && arena != json.end() && arena->is_number_integer())
      limits.arena_bytes = arena->get<std::int64_t>();
  }
  const Optimize optimize = options.optimize == "size" ? Optimize::size : Optimize::speed;
  return schedule(program, core, optimize, limits, parse_input_form(input));
}

/// Describes the integer program of a finished folder, as it runs on a target at an operating point.
Result inspect_program(const InspectOptions& options, const std::filesystem::path& path) {
  const Program program = load_program(path);
  const bool device = options.target != "host";
  const Target target = device ? load_target(options.target) : Target{};
  const Schedule plan = schedule_of(options, path, program, device ? core_of(target) : Core::host);
  if (options.point >= program.points.size()) {
    throw bad_input("--point is {}; the program has {} operating points, numbered from 0", options.point,
                    program.points.size());
  }
  const Program shown = program_at(program, options.point);
  if (options.integers) {
    const nlohmann::ordered_json integers = integers_of(shown);
    return {integers, json_text(integers) + "\n"};
  }
  const bool measured = options.explain && device;
  const std::vector<StepCost> costs =
      measured ? measure_steps(program, plan, with_memory_of_board(target), options.point) : std::vector<StepCost>();
  Result result;
  result.json = to_json(shown, plan);
  if (measured) add_costs(result.json, shown, target, costs);
  add_points(result.json, program, options.point);
  result.text = fmt::format("{} on {}\n\n{}", program.name, options.target,
                            describe_steps(shown, plan, options.explain && !measured));
  if (measured) result.text += "\n" + describe_costs(shown, plan, target, costs);
  result.text += describe_pushes(shown, plan);
  if (options.draw_memory) result.text += "\n" + draw_arena(shown, plan);
  if (program.points.size() > 1) result.text += "\n" + describe_points(program, options.point);
  return result;
}

/// All that keeps a network from being read.
Result describe_obstacles(const std::filesystem::path& path, const std::vector<Obstacle>& obstacles) {
  nlohmann::json list = nlohmann::json::array();
  std::string text = fmt::format("{} cannot be used; it has {} obstacle{}:\n", path.string(), obstacles.size(),
                                 obstacles.size() == 1 ? "" : "s");
  for (const Obstacle& obstacle : obstacles) {
    list.push_back({{"node", obstacle.node}, {"operator", obstacle.operator_name}, {"reason", obstacle.reason}});
    text += fmt::format("  {}\n", obstacle.reason);
  }
  const nlohmann::json json = {{"name", path.stem().string()}, {"obstacles", list}, {"version", TRIMTAB_VERSION}};
  return {json, text};
}

Result inspect(const InspectOptions& options) {
  const std::filesystem::path path = options.model;
  const bool folder = std::filesystem::is_directory(path);
  if (!options.model_explorer.empty()) {
    if (!folder)
      throw bad_input("--model-explorer needs a folder that fit or scale made, and {} is none", options.model);
    write_model_explorer(path, options.model_explorer);
    return {{{"written", options.model_explorer}}, fmt::format("written to {}\n", options.model_explorer)};
  }
  if (folder || path.extension() == ".bin") return inspect_program(options, folder ? path / "program.bin" : path);
  const ImportOptions choice = import_options(options.choice);
  Graph graph;
  try {
    graph = read_model(options.model, options.choice);
  } catch (const Error&) {
    const std::vector<Obstacle> obstacles = network_obstacles(path, choice);  // throws where the file is malformed
    if (obstacles.empty()) throw;
    return describe_obstacles(path, obstacles);
  }
  const GraphSummary summary = summarize(graph);
  const std::vector<std::string> undeployable = layers_without(&FormTraits::runs, prepare_for_deployment(graph, {}));
  nlohmann::json json = to_json(graph, summary);
  json["obstacles"] = nlohmann::json::array();
  json["not_deployable"] = undeployable;
  std::string text = table(graph, summary);
  if (!undeployable.empty()) text += fmt::format("layers that no device runs yet: {}\n", fmt::join(undeployable, ", "));
  return {json, text};
}

}  // namespace

void add_inspect(CLI::App& app, const Surroundings& around) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand("inspect", "describe a network, or a program that fit or scale made");
  add_model(*command, options->model, options->choice)->required();
  add_target_option(*command, options->target);
  add_optimize_option(*command, options->optimize);
  add_input_option(*command, options->input)->default_str("as in OUT's result.json, or whole");
  add_point_option(*command, options->point);
  command
      ->add_option("--arena", options->arena,
                   "programs: limit on the working memory (arena), such as 20KB; 0: as small as possible")
      ->default_str("as in OUT's result.json");
  command->add_flag("--draw-memory", options->draw_memory, "draw the working memory of a program over time");
  // The former spelling; --memory of fit is a bound.
  command->add_flag("--memory", options->draw_memory)->group("");
  command->add_flag("--integers", options->integers,
                    "print all integers of a program as JSON, as docs/integers.md defines them");
  command
      ->add_option("--model-explorer", options->model_explorer,
                   "write bits, instructions and SQNR of the layers of a finished folder to this folder, as node data "
                   "for Google's Model Explorer beside quantized.onnx")
      ->type_name("DIR");
  command->add_flag("--explain", options->explain,
                    "say for every layer of a program why its kernel was chosen, how many instructions it takes per "
                    "MAC in the emulator, and how many cycles the real core would need");
  add_common_options(*command, options->common, "trimtab inspect resnet8.onnx --json");
  command->callback([options, &around] {
    around.deliver(inspect(*options), options->common.json && !options->integers);  // integers are JSON in any case
  });
}

}  // namespace trimtab::cli
