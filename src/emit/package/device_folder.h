#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// A folder OUT/device, as its manifest.json describes it.
struct DeviceFolder {
  std::filesystem::path path;
  std::string name;     ///< prefix of the C functions
  std::string network;  ///< name of the network
  std::string target;
  std::string description;  ///< of the target
  std::string version;      ///< of Trimtab, MAJOR.MINOR.PATCH
  std::vector<std::string> core_flags;
  std::vector<std::string> flags;
  std::vector<std::string> headers;  ///< paths of trimtab/*.h, and of the manager where there is one
  bool takes_rows = false;           ///< the input is pushed row by row

  /// One line about the package.
  [[nodiscard]] std::string sentence() const;
  /// The options of the program's own file without the language's, which ecosystems say in their own words.
  [[nodiscard]] std::vector<std::string> options() const;
};

/// Reads OUT/device/manifest.json and checks that every file is the one that was handed over. Throws Error (bad input).
[[nodiscard]] DeviceFolder read_device_folder(const std::filesystem::path& out);

}  // namespace trimtab
