#pragma once

// One function per ecosystem: writes the package of a device folder into an empty folder. Internal to src/package.

#include <filesystem>
#include <string>

#include "emit/package/device_folder.h"

namespace trimtab {

void arduino_package(const DeviceFolder& device, const std::filesystem::path& folder);
void platformio_package(const DeviceFolder& device, const std::filesystem::path& folder);
void zephyr_package(const DeviceFolder& device, const std::filesystem::path& folder);
void esp_idf_package(const DeviceFolder& device, const std::filesystem::path& folder);
void cmsis_package(const DeviceFolder& device, const std::filesystem::path& folder);

/// Copies NAME.h, NAME.cpp, NAME_selftest.cpp and the kernels into `folder`, the folder of sources.
void copy_sources(const DeviceFolder& device, const std::filesystem::path& folder);
/// Copies README.md and LICENSE.
void copy_papers(const DeviceFolder& device, const std::filesystem::path& folder);
/// `target_compile_options` and the language for a CMake target.
[[nodiscard]] std::string cmake_options(const DeviceFolder& device, const std::string& target);

}  // namespace trimtab
