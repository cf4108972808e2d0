#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "support/command.h"

// The refusals of `trimtab package`, word for word; nothing is left where it refuses.
namespace trimtab {
namespace {

namespace fs = std::filesystem;

class PackageErrors : public testing::Test {
 protected:
  void SetUp() override {
#ifndef TRIMTAB_COMMAND
    GTEST_SKIP() << "the command is not built";
#endif
    fs::create_directories(device() / "trimtab");
    for (const std::string name : {"net.h", "net.cpp", "net_selftest.cpp", "README.md", "LICENSE", "main.c"})
      write_file(device() / name, "abc");
  }
  [[nodiscard]] fs::path device() const { return folder_.path() / "out" / "device"; }
  [[nodiscard]] fs::path made() const { return folder_.path() / "made"; }

  void write_manifest(const std::string& files, const std::string& name = "net",
                      const std::string& flag = "-O2") const {
    write_file(
        device() / "manifest.json",
        R"({"format": 1, "name": ")" + name +
            R"(", "network": "n", "trimtab": "0.2.0", "target": "t", "target_description": "d", "core_flags": [],)"
            R"("flags": [")" +
            flag + R"("], "files": {)" + files + "}}");
  }
  void expect_package_refused(const std::string& words, const std::string& kind = "arduino") const {
    expect_refused({"package", (folder_.path() / "out").string(), "--for", kind, "-o", made().string()}, words);
    EXPECT_FALSE(fs::exists(made()));
  }

 private:
  TemporaryDirectory folder_;
};

/// SHA-256 of "abc" (FIPS 180-4, appendix).
const std::string hash_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST_F(PackageErrors, FoldersThatAreNone) {
  expect_package_refused("has no device/manifest.json; give the folder that fit made for a microcontroller");
  write_file(device() / "manifest.json", "{");
  expect_package_refused("manifest.json is no manifest of a device folder");
  write_file(device() / "manifest.json", "{}");
  expect_package_refused("manifest.json is no manifest of a device folder");
}

TEST_F(PackageErrors, FilesThatWereChanged) {
  write_manifest("\"net.h\": \"" + hash_of_abc + "\", \"net.cpp\": \"00\"");
  expect_package_refused("net.cpp is not the file that was handed over");
  write_manifest("\"../secret\": \"00\"");
  expect_package_refused("names the file ../secret, which lies outside the folder");
  write_manifest("\"/etc/passwd\": \"00\"");
  expect_package_refused("lies outside the folder");
  write_manifest("\"absent.h\": \"00\"");
  expect_package_refused("absent.h");
}

TEST_F(PackageErrors, ManifestsThatSmuggle) {
  write_manifest("", "net; rm");
  expect_package_refused("it becomes the prefix of C functions");
  write_manifest("", "net", "-O2 -fplugin=evil");
  expect_package_refused("holds the option '-O2 -fplugin=evil', which is none");
  write_manifest("", "net", "$(touch x)");
  expect_package_refused("which is none");
}

TEST_F(PackageErrors, PlacesAndKinds) {
  write_manifest("\"net.h\": \"" + hash_of_abc + "\"");
  expect_package_refused("--for", "mbed");
  fs::create_directories(made());
  expect_refused({"package", device().parent_path().string(), "--for", "zephyr", "-o", made().string()},
                 "is there already; name a folder that is not");
  fs::remove_all(made());
  fs::remove(device() / "net.cpp");
  expect_package_refused("lacks net.cpp");
}

}  // namespace
}  // namespace trimtab
