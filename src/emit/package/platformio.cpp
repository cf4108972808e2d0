#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json_text.h"
#include "emit/package/layouts.h"

// PlatformIO's library.json: src/ is compiled and is the include path; build.flags are the library's own, so that the
// recipe holds, and build.unflags take the project's away.

namespace trimtab {

void platformio_package(const DeviceFolder& device, const std::filesystem::path& folder) {
  copy_sources(device, folder / "src");
  copy_papers(device, folder);
  std::string name = device.name;  // a slug: letters, digits and single dashes
  for (char& c : name) c = c == '_' ? '-' : c;
  while (name.find("--") != std::string::npos) name.erase(name.find("--"), 1);
  if (name.back() == '-') name.pop_back();
  const nlohmann::ordered_json library = {
      {"name", name},
      {"version", device.version},
      {"description", device.sentence()},
      {"keywords", {"neural network", "machine learning", "embedded"}},
      {"license", "Apache-2.0"},
      {"frameworks", "*"},
      {"platforms", "*"},
      {"headers", device.name + ".h"},
      {"export", {{"exclude", {".result-files"}}}},
      {"examples", {{{"name", "selftest"}, {"base", "examples/selftest"}, {"files", {"src/main.c"}}}}},
      {"build",
       {{"flags", device.flags},
        {"unflags", {"-Os", "-O2", "-O3", "-std=gnu++11", "-std=gnu++14", "-std=gnu++17"}},
        {"srcDir", "src"},
        {"includeDir", "src"}}}};
  // what the library sets itself is not taken away
  nlohmann::ordered_json described = library;
  nlohmann::ordered_json unflags = nlohmann::ordered_json::array();
  for (const auto& flag : library["build"]["unflags"]) {
    if (std::find(device.flags.begin(), device.flags.end(), flag.get<std::string>()) == device.flags.end())
      unflags.push_back(flag);
  }
  described["build"]["unflags"] = unflags;
  write_file(folder / "library.json", json_text(described, 2) + "\n");
  make_directory(folder / "examples" / "selftest" / "src");
  write_file(folder / "examples" / "selftest" / "src" / "main.c", read_text(device.path / "main.c"));
  write_file(
      folder / "examples" / "selftest" / "platformio.ini",
      fmt::format("; Set platform and board to yours: the network is for {}.\n[env:selftest]\nplatform = "
                  "ststm32\nboard = nucleo_f412zg\nframework = stm32cube\nlib_extra_dirs = ../../..\nbuild_flags "
                  "= {}\n",
                  device.target, fmt::join(device.core_flags, " ")));
}

}  // namespace trimtab
