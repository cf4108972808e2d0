#include "emit/hand_over.h"

#include <fmt/args.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "base/json_text.h"
#include "base/process.h"
#include "base/sha256.h"
#include "base/units.h"
#include "emit/board_source.h"
#include "emit/c_text.h"
#include "emit/linux_source.h"
#include "emit/machine.h"
#include "emit/manager_source.h"
#include "emit/recipe.h"
#include "emit/value_functions.h"
#include "program/program_file.h"
#include "target/share.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

std::string example(const Program& program, const std::string& name, InputForm input) {
  if (input == InputForm::pushed) {
    return fmt::format(
        R"(/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the samples of {0}_selftest.cpp, then a frame of zeros: main() returns 0 where the network answers as it was
 * measured to. */
#include <string.h>

#include "{0}.h"

/* Your camera: waits until its next row lies at `row`. */
static void read_row(void *row) {{ memset(row, 0, {1}_INPUT_ROW_BYTES); }}

int main(void) {{
  const int differing = {0}_selftest();
  int32_t answer;
  do {{
    read_row({0}_next_row()); /* or from floats {0}_quantize_row(values, {0}_next_row()) */
  }} while ({0}_push_row() > 0);
  answer = {0}_argmax{2}({0}_output());
  return differing == 0 && answer >= 0 ? 0 : 1;
}}
)",
        name, upper(name), output_ends(program).front().suffix);
  }
  return fmt::format(
      R"(/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the samples of {0}_selftest.cpp: main() returns 0 where the network answers as it was measured to. */
#include "{0}.h"

int main(void) {{
  const int differing = {0}_selftest();
  /* The input of your own sample: {0}_input(), or from floats {0}_quantize{1}(values, {0}_input()). */
  {0}_run();
  const int32_t answer = {0}_argmax{2}({0}_output());
  return differing == 0 && answer >= 0 ? 0 : 1;
}}
)",
      name, input_ends(program).front().suffix, output_ends(program).front().suffix);
}

/// A figure of result.json for people.
std::string bytes_of(const nlohmann::ordered_json& result, const char* key) {
  const auto bytes = result.at(key).get<std::int64_t>();
  return fmt::format("{} ({} bytes)", format_bytes(bytes), bytes);
}

std::string latency_of(const nlohmann::ordered_json& result) {
  const double lower = result.at("latency_lower_ms").get<double>();
  if (!result.contains("latency_upper_ms")) return fmt::format("at least {:.2f} ms", lower);
  return fmt::format("an estimated {:.2f} ms ({:.2f} to {:.2f})", result.at("latency_expected_ms").get<double>(), lower,
                     result.at("latency_upper_ms").get<double>());
}

/// The first line that the target's compiler says of its version: other versions make other images.
std::string compiler_of(const Target& target) {
  const Toolchain& toolchain = *traits_of(target.processor).toolchain;
  const std::string text =
      run_process({std::string(toolchain.compiler), "--version"}, std::string(toolchain.hint)).output;
  return text.substr(0, text.find('\n'));
}

constexpr std::string_view readme_head = R"(# {name}: the network {network} for {target}

Trimtab {version} made this folder for {target} ({description}). Its interface is C; `{name}.h` documents all of it.
{left_out}
)";

constexpr std::string_view image_readme = R"(| | measured on the image `firmware.elf` |
|---|---|
| flash | {flash} |
| RAM | {RAM} |
| of it the arena | {arena} |
| of it the stack of a run | {stack} |
| instructions of a run | {instructions} |
{pushes}| time of a run at {clock} | {latency} |

{rows}Flash and RAM include the start-up code and the harness of the measurement. `manifest.json` has all figures, and the hashes of the network and of every file.

## Build

Compile the whole firmware with `{core}`. Compile `{name}.cpp` as C++17 with `{flags}`: other options give other sizes and times,
and so do other compilers than the measured one, {compiler}. Two files do so:

- make: `include {name}.mk`, link `$({NAME}_OBJECT)`, and add `-I$({NAME}_FOLDER)` where `{name}.h` is included.
- CMake: `add_subdirectory()` on this folder, and `target_link_libraries(firmware PRIVATE {name})`.

`trimtab package` makes a package for Arduino, PlatformIO, Zephyr, ESP-IDF or a CMSIS pack.

## Test

`{name}_selftest()` of `{name}_selftest.cpp` runs real samples. It returns the number of output bytes that differ from those measured: 0.
Link `$({NAME}_SELFTEST_OBJECT)` (make) or `{name}_selftest` (CMake) to use it. `main.c` is an example.

`trimtab validate` runs samples on a board and compares every bit. The board's firmware is `{name}_board.c` with two functions of yours that read and write
a serial port. `boards/` has them for the STM32F4's USART and for the CMSDK UART, each with a `main()`. Compile these files as C99.
Define `{NAME}_PROFILE` for them and for `{name}.cpp` to count the cycles of every layer.

## Files

| file | |
|---|---|
| `{name}.h`, `{name}.cpp` | the network |
| `trimtab/` | the kernels that it uses |
| `{name}_selftest.cpp`, `main.c` | samples with the right answers, and an example |
{manager}| `{name}_board.c`, `boards/` | the network behind a serial port, for `trimtab validate` |
| `{name}.mk`, `CMakeLists.txt` | the build |
| `firmware.elf` | the image that was measured in the emulator ({board}) |
| `manifest.json`, `LICENSE` | all figures and hashes; the licence of the code |
)";

constexpr std::string_view linux_readme = R"(| | measured |
|---|---|
| shared object `lib{name}.so` | {flash} |
| RAM beside it | {RAM} |
| of it the arena | {arena} |
| of it the stack of a run | {stack} |
| instructions of a run, one thread | {instructions} |

The instructions were counted in {board}. They do not tell the time on a core; run `classify --loop` there.

## Run

`./classify FILE...` runs the network on binary PGM or PPM pictures of its size, or on raw inputs. It prints a line for every inference: file, input, answer,
its name, operating point and milliseconds, tabs between them. `--loop` begins again behind the last input. `--point-file FILE` reads the operating point from
a file before every inference; the signal SIGUSR1 chooses the next one. `--threads N` runs N inferences at the same time, each with an arena of its own.
`--help` tells the rest. The program is static: copy it to the board. To build it again, compile `classify.cpp` and `{name}.cpp` together, with
`-D{NAME}_CALLER_ARENA -pthread -static` and the options below.

## Link

- the shared object: `-l{name}`, which needs only the C library
- the sources, as C++17 with `{core} {flags}`: `include {name}.mk` (make), or `add_subdirectory()` on this folder (CMake)

`{name}_selftest()` of `{name}_selftest.cpp` runs real samples. It returns the number of output bytes that differ from those measured: 0.

## Files

| file | |
|---|---|
| `{name}.h`, `{name}.cpp` | the network |
| `lib{name}.so` | the same, built |
| `trimtab/` | the kernels that it uses |
| `classify`, `classify.cpp`, `classify.h` | the program around it, built and as sources |
| `{name}_selftest.cpp`, `main.c` | samples with the right answers, and an example |
| `{name}.mk`, `CMakeLists.txt` | the build |
| `firmware.elf` | the process that was measured in the emulator |
| `manifest.json`, `LICENSE` | all figures and hashes; the licence of the code |
)";

std::string readme(const HandOver& hand_over, const Program& program, const Target& target, const BuildRecipe& recipe) {
  const nlohmann::ordered_json& result = hand_over.result;
  const std::string left_out = describe_left_out(hand_over.left_out);
  const bool is_linux = traits_of(target.processor).toolchain->is_linux;
  fmt::dynamic_format_arg_store<fmt::format_context> facts;
  const auto add = [&](const char* name, const std::string& text) { facts.push_back(fmt::arg(name, text)); };
  add("name", hand_over.name);
  add("NAME", upper(hand_over.name));
  add("network", program.name);
  add("target", target.name);
  add("description", target.description);
  add("version", TRIMTAB_VERSION);
  add("left_out", left_out.empty() ? "" : "Left out is " + left_out + ".\n");
  add("flash", bytes_of(result, "flash_bytes"));
  add("RAM", bytes_of(result, "ram_bytes"));
  add("arena", bytes_of(result, "arena_bytes"));
  add("stack", bytes_of(result, "stack_bytes"));
  add("instructions", format_count(result.at("instructions").get<std::int64_t>()));
  add("core", fmt::format("{}", fmt::join(recipe.core_flags, " ")));
  add("flags", fmt::format("{}", fmt::join(recipe.flags, " ")));
  add("board", target.emulated_board);
  if (!is_linux) {
    add("clock", format_frequency(static_cast<double>(target.clock_hz.value)));
    add("latency", latency_of(result));
    const std::optional<PushInstructions>& pushes = hand_over.deployment.pushes;
    add("pushes", pushes.has_value()
                      ? fmt::format("| of it the longest push | {} |\n| of it after the last row | {} |\n",
                                    format_count(pushes->longest), format_count(pushes->last))
                      : "");
    add("rows",
        pushes.has_value()
            ? fmt::format("The input is pushed row by row: see ROWS in `{}.h`, and `main.c`.\n\n", hand_over.name)
            : "");
    add("compiler", compiler_of(target));
    add("manager",
        has_manager(program, target, hand_over.deployment)
            ? fmt::format("| `{}_manager.h` | C++ that chooses operating point and clock |\n", hand_over.name)
            : "");
  }
  return fmt::vformat(fmt::format("{}{}", readme_head, is_linux ? linux_readme : image_readme), facts);
}

/// Hashes of all files below the folder, by path, sorted.
nlohmann::ordered_json hashes(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) names.push_back(fs::relative(entry.path(), folder).generic_string());
  }
  std::ranges::sort(names);
  nlohmann::ordered_json files = nlohmann::ordered_json::object();
  for (const std::string& name : names) {
    if (name != "manifest.json") files[name] = sha256(read_file(folder / name));
  }
  return files;
}

}  // namespace

std::vector<std::string> left_out_layers(const Graph& graph) {
  const std::int64_t last = graph.producer(graph.output);
  if (last < 0 || !std::holds_alternative<Softmax>(nth(graph.nodes, last).op)) return {};
  return {nth(graph.nodes, last).name};
}

void check_left_out(const Graph& graph, const Task& task) {
  const std::int64_t last = graph.producer(graph.output);
  const bool shares = last >= 0 && std::holds_alternative<Softmax>(nth(graph.nodes, last).op);
  if (shares && task.labelled && !task.decides()) {
    throw bad_input("{} ends with a Softmax, which a program leaves out; {} needs its numbers, so cut it off",
                    graph.name, name_of(task.kind));
  }
}

std::string describe_left_out(const std::vector<std::string>& layers) {
  if (layers.empty()) return {};
  return fmt::format("{}: a Softmax at the end does not change the order of the outputs", fmt::join(layers, ", "));
}

void write_hand_over(const HandOver& hand_over, const Program& program, const Target& target, Optimize optimize,
                     const fs::path& folder) {
  const BuildRecipe recipe = recipe_of(target, optimize);
  const bool is_linux = traits_of(target.processor).toolchain->is_linux;
  write_file(folder / "README.md", readme(hand_over, program, target, recipe));
  write_file(folder / "LICENSE", read_text(license_file()));
  const InputForm input = hand_over.deployment.pushes.has_value() ? InputForm::pushed : InputForm::whole;
  write_file(folder / "main.c", example(program, hand_over.name, input));
  if (is_linux) {
    write_linux_program(program, target, optimize, hand_over.name, folder);
  } else {
    write_board_sources(program, hand_over.name, input, folder);
    write_manager(program, target, hand_over.deployment, hand_over.name, runtime_directory(), folder);
  }
  const nlohmann::ordered_json manifest = {{"format", 1},
                                           {"name", hand_over.name},
                                           {"network", program.name},
                                           {"trimtab", TRIMTAB_VERSION},
                                           {"target", target.name},
                                           {"target_description", target.description},
                                           {"system", is_linux ? "linux" : "bare"},
                                           {"optimize", optimize == Optimize::speed ? "speed" : "size"},
                                           {"input", name_of(input)},
                                           {"core_flags", recipe.core_flags},
                                           {"flags", recipe.flags},
                                           {"compiler", compiler_of(target)},
                                           {"model_sha256", sha256(read_file(hand_over.model))},
                                           {"program_sha256", sha256(encode_program(program))},
                                           {"left_out", hand_over.left_out},
                                           {"files", hashes(folder)},
                                           {"result", hand_over.result}};
  write_file(folder / "manifest.json", json_text(manifest, 2) + "\n");
}

}  // namespace trimtab
