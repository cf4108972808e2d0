#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "emit/c_text.h"
#include "emit/package/layouts.h"

// Arduino's library specification, format 1.5: library.properties, src/ that is compiled as a whole with src/ as the
// include path, examples/NAME/NAME.ino. A library cannot set its own options. Therefore the archive that the recipe
// makes lies in the folder where `precompiled=full` looks for it: src/CORE/FPU-ABI. Where a board sets another core,
// the sources are compiled with the board's options; of the recipe they ask for the optimization themselves.

namespace trimtab {
namespace {

namespace fs = std::filesystem;

void run_tool(const std::vector<std::string>& command) {
  const ProcessResult result = run_process(command, "install the package gcc-arm-none-eabi");
  if (result.exit_code != 0) throw failure("{} fails: {}", command.front(), result.errors.substr(0, 300));
}

std::string sketch(const DeviceFolder& device) {
  return fmt::format(
      R"(// SPDX-License-Identifier: Apache-2.0
// Runs the samples of the self-test, then times one run.
#include <{0}.h>

void setup() {{
  Serial.begin(115200);
  const int differing = {0}_selftest();
  Serial.print("bytes that differ: ");
  Serial.println(differing);
}}

void loop() {{
  const unsigned long begin = micros();
{1}  Serial.print("microseconds: ");
  Serial.print(micros() - begin);
  Serial.print(", first output: ");
  Serial.println({0}_output_at({0}_output(), 0));
  delay(1000);
}}
)",
      device.name,
      device.takes_rows
          ? fmt::format("  do {{\n    memset({0}_next_row(), 0, {1}_INPUT_ROW_BYTES);  // write the next row of your "
                        "sample instead\n  }} while ({0}_push_row() > 0);\n",
                        device.name, upper(device.name))
          : fmt::format("  {0}_run();  // write your sample to {0}_input() before\n", device.name));
}

/// The value of an option such as "-mcpu=", or nothing.
std::string value_of(const std::vector<std::string>& flags, const std::string& option) {
  for (const std::string& flag : flags) {
    if (flag.starts_with(option)) return flag.substr(option.size());
  }
  return {};
}

/// Compiles src/ as the recipe does, with another floating-point ABI where one is given, into `archive`.
void make_archive(const DeviceFolder& device, const fs::path& sources, const std::string& abi,
                  const fs::path& archive) {
  const TemporaryDirectory folder;
  make_directory(archive.parent_path());
  std::vector<std::string> objects;
  for (const std::string part : {".cpp", "_selftest.cpp"}) {
    objects.push_back((folder.path() / (device.name + part + ".o")).string());
    std::vector<std::string> command{"arm-none-eabi-g++"};
    command.insert(command.end(), device.core_flags.begin(), device.core_flags.end());
    command.push_back("-mfloat-abi=" + abi);
    command.insert(command.end(), device.flags.begin(), device.flags.end());
    command.insert(command.end(),
                   {"-I" + sources.string(), "-c", (sources / (device.name + part)).string(), "-o", objects.back()});
    run_tool(command);
  }
  std::vector<std::string> command{"arm-none-eabi-ar", "rcsD", archive.string()};
  command.insert(command.end(), objects.begin(), objects.end());
  run_tool(command);
}

/// Where Arduino looks for archives: in src/CORE, or in a folder of it that is named after what the board's options say
/// of floating point. The compiler refuses to link ABIs of two kinds, so that every kind has its archive.
void make_archives(const DeviceFolder& device, const fs::path& sources) {
  const std::string core = value_of(device.core_flags, "-mcpu=");
  if (core.empty()) return;  // no Arm: boards of other makers have names of their own, and compile the sources
  const std::string fpu = value_of(device.core_flags, "-mfpu=");
  const std::string file = "lib" + device.name + ".a";
  if (value_of(device.core_flags, "-mfloat-abi=") != "hard") {
    make_archive(device, sources, "soft", sources / core / file);
    make_archive(device, sources, "soft", sources / core / "soft" / file);
    return;
  }
  for (const std::string abi : {"hard", "softfp"})
    make_archive(device, sources, abi, sources / core / (fpu.empty() ? abi : fpu + "-" + abi) / file);
  if (!fpu.empty()) make_archive(device, sources, "soft", sources / core / file);  // a board that does not use its FPU
}

}  // namespace

void arduino_package(const DeviceFolder& device, const std::filesystem::path& folder) {
  copy_sources(device, folder / "src");
  copy_papers(device, folder);
  const std::string source = read_text(device.path / (device.name + ".cpp"));
  std::string optimization = "O2";
  for (const std::string& flag : device.flags) {
    if (flag == "-Os") optimization = "Os";
  }
  make_archives(device, folder / "src");
  // the C++ standard library's headers must not come before: there are none
  write_file(folder / "src" / (device.name + ".cpp"),
             fmt::format("#if defined(__GNUC__) && !defined(__clang__)\n#pragma GCC optimize(\"{}\", "
                         "\"omit-frame-pointer\", \"no-schedule-insns\")\n#endif\n{}",
                         optimization, source));
  make_directory(folder / "examples" / (device.name + "_selftest"));
  write_file(folder / "examples" / (device.name + "_selftest") / (device.name + "_selftest.ino"), sketch(device));
  write_file(folder / "library.properties",
             fmt::format("name={0}\nversion={1}\nauthor=Trimtab\nmaintainer=Trimtab\nsentence={2}.\nparagraph=The "
                         "interface is C: see {0}.h. The core must compile C++17.\ncategory=Data "
                         "Processing\nurl=https://example.com/\narchitectures=*\nincludes={0}.h\nprecompiled=full\n",
                         device.name, device.version, device.sentence()));
  write_file(folder / "keywords.txt",
             fmt::format("{0}\tKEYWORD1\n{0}_{2}\tKEYWORD2\n{0}_{3}\tKEYWORD2\n{0}_output\tKEYWORD2\n{0}_output_at\t"
                         "KEYWORD2\n{1}_INPUT_BYTES\tLITERAL1\n",
                         device.name, upper(device.name), device.takes_rows ? "next_row" : "input",
                         device.takes_rows ? "push_row" : "run"));
}

}  // namespace trimtab
