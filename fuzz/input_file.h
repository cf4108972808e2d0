#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "base/file.h"

namespace trimtab {

/// A file of that name that holds the bytes, for readers that take a path.
inline std::filesystem::path fuzzed_file(std::span<const std::uint8_t> bytes, const std::string& name) {
  static const TemporaryDirectory folder;
  const std::filesystem::path path = folder.path() / name;
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

}  // namespace trimtab
