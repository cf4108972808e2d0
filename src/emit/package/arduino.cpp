#include <fmt/format.h>

#include "base/file.h"
#include "emit/c_text.h"
#include "emit/package/layouts.h"

// Arduino's library specification, format 1.5: library.properties, src/ that is compiled as a whole with src/ as the
// include path, examples/NAME/NAME.ino. A library cannot set its own options; the optimization of the recipe is
// therefore asked for inside the source, and the rest is the core's.

namespace trimtab {
namespace {

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
  {0}_run();  // write your sample to {0}_input() before
  Serial.print("microseconds: ");
  Serial.print(micros() - begin);
  Serial.print(", first output: ");
  Serial.println({0}_output_at({0}_output(), 0));
  delay(1000);
}}
)",
      device.name);
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
                         "Processing\nurl=https://example.com/\narchitectures=*\nincludes={0}.h\n",
                         device.name, device.version, device.sentence()));
  write_file(folder / "keywords.txt",
             fmt::format("{0}\tKEYWORD1\n{0}_input\tKEYWORD2\n{0}_run\tKEYWORD2\n{0}_output\tKEYWORD2\n{0}_output_at\t"
                         "KEYWORD2\n{1}_INPUT_BYTES\tLITERAL1\n",
                         device.name, upper(device.name)));
}

}  // namespace trimtab
