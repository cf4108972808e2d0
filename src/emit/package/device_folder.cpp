#include "emit/package/device_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "emit/c_text.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// Whether a path of a manifest stays below its folder.
bool is_inside(const fs::path& path) {
  return !path.empty() && path.is_relative() &&
         std::ranges::none_of(path, [](const fs::path& part) { return part == ".."; });
}

/// Names, versions and options end up in files of several languages: of these characters none means anything in them.
bool is_plain(const std::string& text) {
  return std::ranges::all_of(text, [](unsigned char c) {
    return c > 0x20 && c < 0x7f &&
           std::string_view("\"'\\<>&$;#(){}|`*?!").find(static_cast<char>(c)) == std::string_view::npos;
  });
}

/// Text for people: other characters become blanks.
std::string plain_sentence(std::string text) {
  std::ranges::replace_if(
      text,
      [](unsigned char c) {
        return c < 0x20 || c >= 0x7f ||
               std::string_view("\"'\\<>&$;#{}|`*").find(static_cast<char>(c)) != std::string_view::npos;
      },
      ' ');
  return text;
}

}  // namespace

std::string DeviceFolder::sentence() const {
  return plain_sentence(
      fmt::format("The network {} as integers for {} ({}), made by trimtab {}", network, target, description, version));
}

std::vector<std::string> DeviceFolder::options() const {
  std::vector<std::string> own;
  std::ranges::copy_if(flags, std::back_inserter(own),
                       [](const std::string& flag) { return !flag.starts_with("-std="); });
  return own;
}

DeviceFolder read_device_folder(const fs::path& out) {
  DeviceFolder device;
  device.path = out / "device";
  const fs::path file = device.path / "manifest.json";
  if (!fs::exists(file)) {
    throw bad_input("{} has no device/manifest.json; give the folder that fit made for a microcontroller",
                    out.string());
  }
  try {
    const nlohmann::json manifest = nlohmann::json::parse(read_text(file));
    device.name = manifest.at("name").get<std::string>();
    if (manifest.value("system", "bare") == "linux") {
      throw bad_input(
          "{} holds a program for Linux, and packages are for microcontrollers; copy its device/ to the board",
          out.string());
    }
    device.network = manifest.at("network").get<std::string>();
    device.target = manifest.at("target").get<std::string>();
    device.description = manifest.at("target_description").get<std::string>();
    device.version = manifest.at("trimtab").get<std::string>();
    device.takes_rows = manifest.value("input", "whole") == "rows";
    device.core_flags = manifest.at("core_flags").get<std::vector<std::string>>();
    device.flags = manifest.at("flags").get<std::vector<std::string>>();
    for (const auto& [path, hash] : manifest.at("files").items()) {
      if (!is_inside(path)) throw bad_input("{} names the file {}, which lies outside the folder", file.string(), path);
      if (sha256(read_file(device.path / path)) != hash.get<std::string>()) {
        throw bad_input("{} is not the file that was handed over; run the command that made {} again",
                        (device.path / path).string(), out.string());
      }
      const bool is_kernel = path.starts_with("trimtab/") && !path.starts_with("trimtab/board_");
      if (is_kernel || path == device.name + "_manager.h") device.headers.push_back(path);
    }
  } catch (const nlohmann::json::exception& error) {
    throw bad_input("{} is no manifest of a device folder: {}", file.string(), error.what());
  }
  check_identifier(device.name, "the name in " + file.string());
  std::vector<std::string> words = device.flags;
  words.insert(words.end(), device.core_flags.begin(), device.core_flags.end());
  words.push_back(device.version);
  for (const std::string& word : words) {
    if (!is_plain(word)) throw bad_input("{} holds the option '{}', which is none", file.string(), word);
  }
  for (const std::string part : {".h", ".cpp", "_selftest.cpp"}) {
    if (!fs::exists(device.path / (device.name + part))) {
      throw bad_input("{} lacks {}{}; run the command that made it again", device.path.string(), device.name, part);
    }
  }
  return device;
}

}  // namespace trimtab
