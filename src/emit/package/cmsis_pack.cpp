#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "emit/package/layouts.h"

// An Open-CMSIS-Pack: VENDOR.NAME.pdsc (schema version 1.7.7) with one component, and its files; zipped as
// VENDOR.NAME.VERSION.pack it can be installed. A description cannot set options for a file, so that the project must:
// the component's description says which.

namespace trimtab {
namespace {

std::string file(const std::string& category, const std::string& name) {
  return fmt::format("        <file category=\"{}\" name=\"{}\"/>\n", category, name);
}

}  // namespace

void cmsis_package(const DeviceFolder& device, const std::filesystem::path& folder) {
  const auto is_riscv = [](const std::string& flag) { return flag.starts_with("-march=rv"); };
  if (std::ranges::any_of(device.core_flags, is_riscv)) {
    throw bad_input(
        "{} is for {}, and CMSIS packs are for Arm's cores; make a package for arduino, platformio, zephyr or esp-idf",
        device.path.string(), device.target);
  }
  copy_sources(device, folder / "src");
  copy_papers(device, folder);
  const std::string& name = device.name;
  std::string files = file("doc", "README.md") + file("include", "src/") + file("header", "src/" + name + ".h") +
                      file("sourceCpp", "src/" + name + ".cpp") + file("sourceCpp", "src/" + name + "_selftest.cpp");
  for (const std::string& header : device.headers) files += file("header", "src/" + header);
  make_directory(folder / "examples" / "selftest");
  write_file(folder / "examples" / "selftest" / "main.c", read_text(device.path / "main.c"));
  write_file(
      folder / ("Trimtab." + name + ".pdsc"),
      fmt::format(R"(<?xml version="1.0" encoding="UTF-8"?>
<package schemaVersion="1.7.7" xmlns:xs="http://www.w3.org/2001/XMLSchema-instance" xs:noNamespaceSchemaLocation="https://raw.githubusercontent.com/Open-CMSIS-Pack/Open-CMSIS-Pack-Spec/v1.7.7/schema/PACK.xsd">
  <vendor>Trimtab</vendor>
  <name>{name}</name>
  <description>{sentence}</description>
  <url></url>
  <license>LICENSE</license>
  <releases>
    <release version="{version}">Made by trimtab {version}.</release>
  </releases>
  <keywords>
    <keyword>neural network</keyword>
  </keywords>
  <components>
    <component Cclass="Machine Learning" Cgroup="Trimtab" Csub="{sub}" Cversion="{version}">
      <description>{sentence}. Compile {name}.cpp with {flags}</description>
      <files>
{files}      </files>
    </component>
  </components>
</package>
)",
                  fmt::arg("name", name), fmt::arg("sub", name.substr(0, 32)),  // as long as the schema lets it be
                  fmt::arg("sentence", device.sentence()), fmt::arg("version", device.version),
                  fmt::arg("flags", fmt::join(device.flags, " ")), fmt::arg("files", files)));
}

}  // namespace trimtab
