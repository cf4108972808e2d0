#include "emit/source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "emit/build_files.h"
#include "emit/c_text.h"
#include "emit/interface_header.h"
#include "emit/source_points.h"
#include "emit/source_rows.h"
#include "emit/value_functions.h"
#include "program/pack.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// `type name[] = {...};` in lines of a readable length, or nothing for an empty array.
template <typename T>
void write_array(std::string& text, const std::string& type, const std::string& name, const std::vector<T>& items) {
  if (items.empty()) return;
  text += fmt::format("TRIMTAB_WEIGHTS alignas(8) const {} {}[{}] = {{", type, name, items.size());
  std::string line;
  for (const T item : items) {
    // The smallest 32-bit integer has no literal of its own type.
    const std::string number = std::int64_t{item} == INT32_MIN ? "INT32_MIN" : std::to_string(std::int64_t{item});
    if (line.size() + number.size() > 118) {
      text += "\n  " + line;
      line.clear();
    }
    line += number + ",";
  }
  text += "\n  " + line + "};\n";
}

std::string literal(const runtime::Image& image) {
  return fmt::format("{{{}, {}, {}, {}, {{{}, {}}}}}", image.height, image.width, image.channels, image.pixel_stride,
                     image.format.bits, image.format.is_signed);
}

std::string literal(const runtime::Window& window) {
  return fmt::format("{{{}, {}, {}, {}, {}, {}, {}, {}}}", window.kernel_height, window.kernel_width,
                     window.stride_rows, window.stride_columns, window.dilation_rows, window.dilation_columns,
                     window.pad_top, window.pad_left);
}

/// The biases and other numbers of a step at all operating points: `points_N`, where they are not the same at all.
/// Where two points have the same biases one array serves both.
std::string point_table(const Step& step, std::size_t index) {
  if (step.points.empty()) return {};
  std::string arrays;
  std::string rows;
  for (std::size_t k = 0; k < step.points.size(); ++k) {
    const PointNumbers& numbers = step.points[k];
    std::string bias = "nullptr";
    if (!numbers.bias.empty()) {
      std::size_t owner = 0;
      while (step.points[owner].bias != numbers.bias) ++owner;
      bias = owner == 0 ? fmt::format("bias_{}", index) : fmt::format("bias_{}_{}", index, owner);
      if (owner == k && k > 0) write_array(arrays, "int32_t", bias, numbers.bias);
    }
    rows += fmt::format("  {{{}, {}, {}, {}, {}}},\n", bias, numbers.output_minimum, numbers.output_maximum,
                        numbers.weight_bits, numbers.shift);
  }
  return fmt::format("{}constexpr rt::PointNumbers points_{}[{}] = {{\n{}}};\n", arrays, index, step.points.size(),
                     rows);
}

/// Constants of one step: its arrays, its descriptor `step_N`, and its numbers at several operating points.
std::string constants(const Step& step, const Kernel& kernel, std::size_t index) {
  std::string text = fmt::format("\n// {}: {}\n", in_comment(step.name), kernel.name);
  const auto array = [&](const std::string& what) { return fmt::format("{}_{}", what, index); };
  const auto pointer = [&](const std::string& what, bool present) {
    return present ? array(what) : std::string("nullptr");
  };
  const auto descriptor = [&](const std::string& type, const std::string& fields) {
    text += fmt::format("constexpr rt::{} step_{} = {{{}}};\n", type, index, fields);
  };
  std::visit(
      overloaded{
          [&](const ConvolutionStep& s) {
            write_array(text, "uint8_t", array("weights"), pack_weights(s, kernel.layout));
            write_array(text, "int32_t", array("bias"), s.bias);
            write_array(text, "int32_t", array("multiplier"), s.multiplier);
            write_array(text, "int16_t", array("padding"), s.padding_value);
            const runtime::Convolution& c = s.convolution;
            descriptor("Convolution",
                       fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}", literal(c.input),
                                   literal(c.output), literal(c.window), c.groups, c.weight_bits, c.shift, c.sum_shift,
                                   c.output_minimum, c.output_maximum, array("weights"), array("bias"),
                                   array("multiplier"), pointer("padding", !s.padding_value.empty()), c.output_zero));
          },
          [&](const MaxPoolStep& s) {
            descriptor("MaxPool", fmt::format("{}, {}, {}, {}, {}", literal(s.pool.input), literal(s.pool.output),
                                              literal(s.pool.window), s.pool.output_minimum, s.pool.output_maximum));
          },
          [&](const AveragePoolStep& s) {
            write_array(text, "int32_t", array("multiplier"), s.multiplier);
            descriptor("AveragePool", fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}, {}", literal(s.pool.input),
                                                  literal(s.pool.output), literal(s.pool.window), s.pool.fixed_divisor,
                                                  s.pool.shift, s.pool.output_minimum, s.pool.output_maximum,
                                                  array("multiplier"), s.pool.input_zero, s.pool.output_zero));
          },
          [&](const AdditionStep& s) {
            const runtime::Addition& a = s.addition;
            descriptor("Addition", fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}", literal(a.a), literal(a.b),
                                               literal(a.output), a.multiplier_a, a.multiplier_b, a.shift,
                                               a.output_minimum, a.output_maximum, a.offset));
          },
          [&](const MultiplicationStep& s) {
            const runtime::Multiplication& m = s.multiplication;
            descriptor("Multiplication",
                       fmt::format("{}, {}, {}, {}, {}, {}, {}, {}, {}, {}", literal(m.a), literal(m.b),
                                   literal(m.output), m.multiplier, m.shift, m.output_minimum, m.output_maximum,
                                   m.a_zero, m.b_zero, m.output_zero));
          },
          [&](const SoftmaxStep& s) {
            write_array(text, "uint16_t", array("table"), s.table);
            const runtime::Softmax& d = s.softmax;
            descriptor("Softmax",
                       fmt::format("{}, {}, {}, {}, {}, {}, {}, {}", literal(d.input), literal(d.output), d.multiplier,
                                   d.shift, d.output_zero, d.output_minimum, d.output_maximum, array("table")));
          },
          [&](const LookupStep& s) {
            write_array(text, "int16_t", array("table"), s.table);
            descriptor("Lookup",
                       fmt::format("{}, {}, {}", literal(s.lookup.input), literal(s.lookup.output), array("table")));
          },
          [&](const RescaleStep& s) {
            const runtime::Rescale& r = s.rescale;
            descriptor("Rescale",
                       fmt::format("{}, {}, {}, {}, {}, {}, {}, {}", literal(r.input), literal(r.output), r.multiplier,
                                   r.shift, r.output_minimum, r.output_maximum, r.input_zero, r.output_zero));
          },
          [&](const MovementStep& s) {
            write_array(text, "uint32_t", array("rows"), s.rows);
            write_array(text, "uint32_t", array("columns"), s.columns);
            write_array(text, "uint32_t", array("channels"), s.channels);
            const runtime::Movement& m = s.movement;
            descriptor("Movement", fmt::format("{}, {}, {{{}, {}, {}, {}, {}, {}}}, {}, {}, {}, {}", literal(m.input),
                                               literal(m.output), m.box.top, m.box.left, m.box.first_channel,
                                               m.box.height, m.box.width, m.box.channels, m.padding, array("rows"),
                                               array("columns"), array("channels")));
          }},
      step.operation);
  return text + point_table(step, index);
}

/// The descriptor of a step as an argument.
std::string descriptor(const Program& program, std::size_t index) {
  if (program.steps[index].points.empty()) return fmt::format("step_{}", index);
  return fmt::format("rt::at_point(step_{0}, points_{0}[point])", index);
}

/// The rows of a value as an argument.
std::string rows_argument(const Program& program, const Schedule& schedule, BufferId id) {
  const RowPlaces& places = nth(schedule.places, id);
  const runtime::Image image = image_of(program, id);
  const std::string table = places.table < 0 ? "nullptr" : fmt::format("rows_of_{}", places.table);
  return fmt::format("{{arena + {}, {}, {}}}", places.offset, table, image.width * image.pixel_stride);
}

/// The call of a kernel for a step. `strip` and `scratch` are its arguments.
std::string call(const Program& program, const Schedule& schedule, std::size_t index, const Kernel& kernel,
                 const std::string& strip, const std::string& scratch) {
  const Step& step = program.steps[index];
  std::string arguments = descriptor(program, index) + ", " + strip;
  for (const BufferId input : step.inputs) arguments += ", " + rows_argument(program, schedule, input);
  arguments += ", " + rows_argument(program, schedule, step.output);
  if (std::holds_alternative<ConvolutionStep>(step.operation)) arguments += ", " + scratch;
  return fmt::format("rt::{}({});", kernel.name, arguments);
}

/// Whether an operation makes all rows of its step, and all of its values lie without gaps between their rows.
bool is_whole_map(const Program& program, const Schedule& schedule, const ScheduledOperation& operation) {
  const Step& step = program.steps[operation.step];
  const auto is_dense = [&](BufferId id) { return nth(schedule.places, id).table < 0; };
  return operation.first_row == 0 && operation.rows == nth(program.buffers, step.output).height &&
         is_dense(step.output) && std::ranges::all_of(step.inputs, is_dense);
}

/// The call of a kernel for a whole map.
std::string whole_map_call(const Program& program, const Schedule& schedule, const ScheduledOperation& operation) {
  const Step& step = program.steps[operation.step];
  std::string arguments = descriptor(program, operation.step);
  for (const BufferId input : step.inputs) arguments += fmt::format(", arena + {}", nth(schedule.places, input).offset);
  arguments += fmt::format(", arena + {}", nth(schedule.places, step.output).offset);
  if (std::holds_alternative<ConvolutionStep>(step.operation))
    arguments += fmt::format(", arena + {}", operation.scratch);
  return fmt::format("rt::whole_map{}<rt::{}>({});", step.inputs.size() > 1 ? "_of_two" : "",
                     schedule.kernel_of(operation).name, arguments);
}

/// GCC takes time that grows with the square of the calls in a function, since it follows where each pointer may point.
/// Programs of more steps are cut into functions of so many.
constexpr std::size_t steps_per_function = 64;

bool is_cut(const Program& program) { return program.steps.size() > steps_per_function; }

/// The parameters that the functions of a program with several operating points have more, and the arguments.
std::string point_parameter(const Program& program) {
  return program.points.size() > 1 ? ", [[maybe_unused]] int32_t point" : "";
}
std::string point_argument(const Program& program) { return program.points.size() > 1 ? ", point" : ""; }

/// The function that the steps from `step` on are in.
std::string function_of_steps(std::size_t step) { return fmt::format("run_steps_{}", step / steps_per_function); }

/// Whole maps: one call for each step, and before them the functions that the program is cut into.
struct StepCalls {
  std::string functions;
  std::string calls;
};
StepCalls step_calls(const Program& program, const Schedule& schedule) {
  StepCalls text;
  std::string calls;
  for (const ScheduledOperation& operation : schedule.operations) {
    const std::string one = is_whole_map(program, schedule, operation)
                                ? whole_map_call(program, schedule, operation)
                                : call(program, schedule, operation.step, schedule.kernel_of(operation),
                                       fmt::format("{{{}, {}}}", operation.first_row, operation.rows),
                                       fmt::format("arena + {}", operation.scratch));
    calls += fmt::format("  {}\n  after_layer({});\n", one, operation.step);
    const std::size_t next = operation.step + 1;
    if (!is_cut(program) || (next % steps_per_function != 0 && next < program.steps.size())) continue;
    const std::string name = function_of_steps(operation.step);
    text.functions += fmt::format("\n__attribute__((noinline)) void {}(uint8_t *arena{}) {{\n{}}}\n", name,
                                  point_parameter(program), std::exchange(calls, {}));
    text.calls += fmt::format("  {}(arena{});\n", name, point_argument(program));
  }
  text.calls += calls;
  return text;
}

/// Where rows lie that do not follow each other.
std::string row_tables(const Schedule& schedule) {
  if (schedule.row_tables.empty()) return {};
  std::string text = "\n// Rows of values: their places in the arena, in units of 8 bytes.\n";
  for (std::size_t table = 0; table < schedule.row_tables.size(); ++table) {
    write_array(text, "uint16_t", fmt::format("rows_of_{}", table), schedule.row_tables[table]);
  }
  return text;
}

/// A kernel that makes strips of a step.
struct StripCall {
  std::size_t step = 0;
  const Kernel* kernel = nullptr;
};

/// The calls that operations choose from: the steps with their own kernels in their order, then other kernels.
std::vector<StripCall> strip_calls(const Schedule& schedule) {
  std::vector<StripCall> calls;
  for (std::size_t s = 0; s < schedule.kernels.size(); ++s) calls.push_back({s, &schedule.kernels[s]});
  for (const KernelVariant& variant : schedule.variants) {
    const auto same = [&](const StripCall& one) {
      return one.step == variant.step && one.kernel->name == variant.kernel.name;
    };
    if (std::ranges::none_of(calls, same)) calls.push_back({variant.step, &variant.kernel});
  }
  return calls;
}

std::size_t call_of(const std::vector<StripCall>& calls, const Schedule& schedule,
                    const ScheduledOperation& operation) {
  const auto same = [&](const StripCall& one) {
    return one.step == operation.step && one.kernel->name == schedule.kernel_of(operation).name;
  };
  return static_cast<std::size_t>(std::ranges::find_if(calls, same) - calls.begin());
}

/// Strips as data: the table of operations, and the function that runs one operation.
std::string strip_functions(const Program& program, const Schedule& schedule) {
  const std::vector<StripCall> calls = strip_calls(schedule);
  std::string text;
  text += fmt::format(
      "\nstruct Operation {{\n  {} call, first_row, rows, scratch;\n}};\nTRIMTAB_WEIGHTS alignas(8) const "
      "Operation operations[{}] = {{",
      schedule.arena_bytes > 8 * std::int64_t{UINT16_MAX} ? "uint32_t" : "uint16_t", schedule.operations.size());
  std::string line;
  for (const ScheduledOperation& operation : schedule.operations) {
    const std::string entry = fmt::format("{{{}, {}, {}, {}}},", call_of(calls, schedule, operation),
                                          operation.first_row, operation.rows, operation.scratch / 8);
    if (line.size() + entry.size() > 118) {
      text += "\n  " + line;
      line.clear();
    }
    line += entry;
  }
  text += "\n  " + line + "};\n\n";
  const auto begin = [&](const std::string& name, const std::string& choice) {
    return fmt::format(
        "{}void {}(uint8_t *arena, const Operation &operation{}) {{\n  const rt::Strip strip{{operation.first_row, "
        "operation.rows}};\n  [[maybe_unused]] uint8_t *const scratch = arena + 8 * operation.scratch;\n  switch "
        "({}) {{\n",
        is_cut(program) ? "__attribute__((noinline)) " : "", name, point_parameter(program), choice);
  };
  const std::string end = "    default:\n      return;\n  }\n}\n";
  std::string choices;
  for (std::size_t c = 0; c < calls.size(); ++c) {
    const std::string name = is_cut(program) ? function_of_steps(c) : "run_operation";
    const bool is_first = c == 0 || (is_cut(program) && c % steps_per_function == 0);
    if (is_first && c > 0) text += end + "\n";
    if (is_first) {
      text += begin(name, "operation.call");
      choices += fmt::format("    case {}:\n      {}(arena, operation{});\n      return;\n", c / steps_per_function,
                             name, point_argument(program));
    }
    text += fmt::format("    case {}:\n      {}\n      after_layer({});\n      return;\n", c,
                        call(program, schedule, calls[c].step, *calls[c].kernel, "strip", "scratch"), calls[c].step);
  }
  text += end;
  if (!is_cut(program)) return text;
  return text + fmt::format(
                    "\nvoid run_operation(uint8_t *arena, const Operation &operation{}) {{\n  switch "
                    "(operation.call / {}) {{\n{}{}",
                    point_parameter(program), steps_per_function, choices, end);
}

/// The runtime's headers that the program needs.
std::set<std::string> runtime_headers(const Program& program, const Schedule& schedule) {
  std::set<std::string> headers;
  for (const Kernel& kernel : schedule.kernels) headers.insert(kernel.header);
  for (const KernelVariant& variant : schedule.variants) headers.insert(variant.kernel.header);
  if (program.points.size() > 1) headers.insert("operating_points.h");
  return headers;
}

/// Stops a compiler that is set to another core than the kernels are for. Other machines than Arm's run the portable
/// form of the kernels, where all have one.
std::string core_check(const BuildRecipe& recipe, const std::set<std::string>& headers) {
  const std::string condition = wrong_core_condition(recipe.core);
  if (condition.empty()) return {};
  return fmt::format(
      "#if {}({})\n#error \"this file is for {}; compile the firmware with {}\"\n#endif\n\n",
      std::ranges::all_of(headers, has_portable_form) ? "(defined(__arm__) || defined(__aarch64__)) && " : "",
      condition, recipe.target, fmt::join(recipe.core_flags, " "));
}

/// Assembly needs the registers that a frame pointer and an unoptimized build take. With the recipe's options this
/// changes nothing.
std::string register_options(const BuildRecipe& recipe) {
  const bool small = std::ranges::find(recipe.flags, "-Os") != recipe.flags.end();
  return fmt::format(
      "#if defined(__arm__) && !defined(__clang__)\n#ifndef __OPTIMIZE__\n#pragma GCC optimize(\"{}\")\n#endif\n"
      "#pragma GCC optimize(\"omit-frame-pointer\", \"no-schedule-insns\")\n#endif\n\n",
      small ? "Os" : "O2");
}

/// The macros by which a firmware places the arena and the constants, and the mark after every layer.
std::string placement(const std::string& name) {
  const std::string prefix = upper(name);
  std::string text;
  for (const std::string what : {"ARENA", "WEIGHTS"}) {
    text += fmt::format(
        "#ifdef {0}_{1}_SECTION\n#define TRIMTAB_{1} __attribute__((section({0}_{1}_SECTION)))\n#else\n#define "
        "TRIMTAB_{1}\n#endif\n",
        prefix, what);
  }
  return text + fmt::format(R"(
namespace {{

namespace rt = trimtab::runtime;

inline void after_layer([[maybe_unused]] int layer) {{
#ifdef {1}_PROFILE
  {0}_after_layer(layer);
#endif
}}

#ifndef {1}_CALLER_ARENA
TRIMTAB_ARENA alignas({1}_ARENA_ALIGNMENT) uint8_t static_arena[{1}_ARENA_BYTES];
#endif
)",
                            name, prefix);
}

/// The functions that use the arena: the static one, or the caller's.
std::string arena_functions(const Program& program, const Schedule& schedule, const std::string& name,
                            const std::string& calls) {
  const auto offset = [&](BufferId id) { return nth(schedule.places, id).offset; };
  const auto type = [&](BufferId id) { return element_type(nth(program.buffers, id).grid); };
  return fmt::format(
      R"(#ifdef {NAME}_CALLER_ARENA
{input} *{name}_input_in(void *memory) {{ return reinterpret_cast<{input} *>(static_cast<uint8_t *>(memory) + {from}); }}

const {output} *{name}_output_in(const void *memory) {{
  return reinterpret_cast<const {output} *>(static_cast<const uint8_t *>(memory) + {to});
}}

void {name}_run_in(void *memory) {{
  uint8_t *const arena = static_cast<uint8_t *>(memory);
#else
{input} *{name}_input(void) {{ return reinterpret_cast<{input} *>(static_arena + {from}); }}

const {output} *{name}_output(void) {{ return reinterpret_cast<const {output} *>(static_arena + {to}); }}

void {name}_run(void) {{
  uint8_t *const arena = static_arena;
#endif
{calls}}}

)",
      fmt::arg("name", name), fmt::arg("NAME", upper(name)), fmt::arg("input", type(program.input)),
      fmt::arg("output", type(program.output)), fmt::arg("from", offset(program.input)),
      fmt::arg("to", offset(program.output)), fmt::arg("calls", calls));
}

/// `const char *const NAME_WHAT_name[COUNT] = {...};`
std::string name_table(const std::string& name, const std::string& what, const std::string& count,
                       const std::vector<std::string>& items) {
  std::string text = fmt::format("const char *const {}_{}_name[{}_{}] = {{\n", name, what, upper(name), count);
  for (const std::string& item : items) text += fmt::format("  {},\n", string_literal(item));
  return text + "};\n\n";
}

std::string name_tables(const Program& program, const std::string& name) {
  std::vector<std::string> layers;
  for (const Step& step : program.steps) layers.push_back(step.name);
  std::string text = name_table(name, "layer", "LAYERS", layers);
  if (names_outputs(program)) text += name_table(name, "output", "OUTPUTS", program.classes);
  return text;
}

std::string source_text(const Program& program, const Schedule& schedule, const BuildRecipe& recipe,
                        const std::string& name) {
  const std::set<std::string> headers = runtime_headers(program, schedule);
  std::string text = fmt::format(
      "// SPDX-License-Identifier: Apache-2.0\n// Generated by trimtab {} from the network '{}'.\n\n{}{}#include "
      "\"{}.h\"\n\n",
      TRIMTAB_VERSION, in_comment(program.name), core_check(recipe, headers), register_options(recipe), name);
  if (schedule.input_form() == InputForm::pushed) text += "#include <string.h>\n\n";
  for (const std::string& header : headers) text += fmt::format("#include \"trimtab/{}\"\n", header);
  text.append("\n").append(placement(name));
  for (std::size_t s = 0; s < program.steps.size(); ++s) text += constants(program.steps[s], schedule.kernels[s], s);
  const bool points = program.points.size() > 1;
  if (points) text += point_state(program);
  std::string calls = points ? "  [[maybe_unused]] const int32_t point = wanted_point;\n" : "";
  text += row_tables(schedule);
  const bool pushed = schedule.input_form() == InputForm::pushed;
  if (pushed) {
    text += strip_functions(program, schedule) + row_state(program, schedule, name);
  } else if (has_whole_maps(schedule, program)) {
    const StepCalls steps = step_calls(program, schedule);
    text += steps.functions;
    calls += steps.calls;
  } else {
    text += strip_functions(program, schedule);
    calls += fmt::format("  for (const Operation &operation : operations) run_operation(arena, operation{});\n",
                         point_argument(program));
  }
  return text + "\n}  // namespace\n\nextern \"C\" {\n\n" +
         (pushed ? row_functions(program, schedule, name) : arena_functions(program, schedule, name, calls)) +
         point_functions(program, name) + level_tables(program, name) + name_tables(program, name) +
         "}  // extern \"C\"\n";
}

/// Copies a runtime header and, first, what it includes from the runtime. The copies include each other without a
/// folder, so that they find their neighbours first: the include paths of a firmware may also hold the kernels of
/// another network, made by another version.
void copy_header(const std::string& header, const fs::path& share, const fs::path& folder,
                 std::set<std::string>& copied) {
  if (!copied.insert(header).second) return;
  std::istringstream lines(read_text(share / "trimtab" / header));
  const std::string opening = "#include \"trimtab/";
  std::string text = "// SPDX-License-Identifier: Apache-2.0\n";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(opening)) {
      const std::string included = line.substr(opening.size(), line.find('"', opening.size()) - opening.size());
      copy_header(included, share, folder, copied);
      line = "#include \"" + included + "\"";
    }
    text += line + "\n";
  }
  write_file(folder / "trimtab" / header, text);
}

}  // namespace

void copy_runtime_header(const std::string& header, const fs::path& share, const fs::path& folder) {
  std::set<std::string> copied;
  copy_header(header, share, folder, copied);
}

void write_header(const Program& program, const Schedule& schedule, const BuildRecipe& recipe, const std::string& name,
                  const std::optional<MeasuredRun>& run, const fs::path& folder) {
  write_file(folder / (name + ".h"), interface_header(program, schedule, recipe, name, run));
}

void write_sources(const Program& program, const Schedule& schedule, const BuildRecipe& recipe, const std::string& name,
                   const fs::path& share, const fs::path& folder) {
  make_directory(folder / "trimtab");
  write_header(program, schedule, recipe, name, std::nullopt, folder);
  write_file(folder / (name + ".cpp"), source_text(program, schedule, recipe, name));
  std::set<std::string> copied;
  for (const std::string& header : runtime_headers(program, schedule)) copy_header(header, share, folder, copied);
  write_file(folder / "CMakeLists.txt", cmake_file(name, recipe));
  write_file(folder / (name + ".mk"), make_file(name, recipe));
}

}  // namespace trimtab
