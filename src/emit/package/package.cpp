#include "emit/package/package.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/staging.h"
#include "emit/package/layouts.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

using Layout = void (*)(const DeviceFolder&, const fs::path&);
constexpr std::array<std::pair<const char*, Layout>, 5> layouts = {{{"arduino", arduino_package},
                                                                    {"platformio", platformio_package},
                                                                    {"zephyr", zephyr_package},
                                                                    {"esp-idf", esp_idf_package},
                                                                    {"cmsis-pack", cmsis_package}}};

}  // namespace

void copy_sources(const DeviceFolder& device, const fs::path& folder) {
  make_directory(folder / "trimtab");
  for (const std::string& header : device.headers) write_file(folder / header, read_text(device.path / header));
  for (const std::string part : {".h", ".cpp", "_selftest.cpp"})
    write_file(folder / (device.name + part), read_text(device.path / (device.name + part)));
}

void copy_papers(const DeviceFolder& device, const fs::path& folder) {
  for (const std::string paper : {"README.md", "LICENSE"}) write_file(folder / paper, read_text(device.path / paper));
}

std::string cmake_options(const DeviceFolder& device, const std::string& target) {
  return fmt::format(
      "set_target_properties({0} PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)\n"
      "target_compile_options({0} PRIVATE {1})\n",
      target, fmt::join(device.options(), " "));
}

std::vector<std::string> package_kinds() {
  std::vector<std::string> kinds;
  for (const auto& [kind, layout] : layouts) kinds.emplace_back(kind);
  return kinds;
}

void make_package(const fs::path& out, const std::string& kind, const fs::path& folder) {
  const DeviceFolder device = read_device_folder(out);
  std::error_code ignored;
  if (fs::exists(folder, ignored)) throw bad_input("{} is there already; name a folder that is not", folder.string());
  for (const auto& [known, layout] : layouts) {
    if (kind != known) continue;
    const StagingFolder staging(folder);
    layout(device, staging.path());
    staging.commit();
    return;
  }
  throw bad_input("there are no packages for '{}'; there are for {}", kind, fmt::join(package_kinds(), ", "));
}

}  // namespace trimtab
