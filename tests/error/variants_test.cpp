// What `trimtab variants` refuses: folders that cannot be compared, and clusters whose energy is not known.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "support/command.h"

namespace trimtab {
namespace {

class VariantsErrors : public testing::Test {
 protected:
  void SetUp() override {
    write_soc("opps_v = [0.9, 1.1]\n");
    finish("one", "cifar10:test", 500);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  void write_soc(const std::string& voltages) const {
    write_file(path("soc.toml"),
               "name = \"board\"\n[[cluster]]\nname = \"a53\"\ncores = 4\nopps_mhz = [600, 1200]\n" + voltages +
                   "[thermal]\nnodes = [\"die\"]\ncapacity_j_per_k = [1]\nresistance_k_per_w = [10]\n");
  }
  void finish(const std::string& name, const std::string& data, int samples) const {
    make_directory(path(name));
    write_file(path(name) + "/result.json",
               R"({"command": "fit", "target": "cortex-a53", "top1": 85.5, "instructions": 2000000, "data": ")" + data +
                   R"(", "samples": )" + std::to_string(samples) + "}");
  }
  void expect_variants_refused(std::vector<std::string> folders, const std::string& words,
                               const std::vector<std::string>& more = {}) const {
    for (std::string& folder : folders) folder = path(folder);
    folders.insert(folders.begin(), "variants");
    folders.insert(folders.end(), {"--soc", path("soc.toml"), "-o", path("net.csv")});
    folders.insert(folders.end(), more.begin(), more.end());
    expect_refused(folders, words);
    EXPECT_FALSE(std::filesystem::exists(path("net.csv")));
  }

  TemporaryDirectory folder_;
};

TEST_F(VariantsErrors, NoCommonData) {
  finish("other", "images:photos", 500);
  finish("fewer", "cifar10:test", 400);
  expect_variants_refused({"one", "other"}, "variants need a common data set");
  expect_variants_refused({"one", "fewer"}, "fewer was measured on 400 samples of cifar10:test, and");
}

TEST_F(VariantsErrors, ClusterWithoutVoltages) {
  write_soc("");
  expect_variants_refused({"one"}, "the cluster 'a53' of board has no voltages, without which no energy is known");
}

TEST_F(VariantsErrors, WhatIsNoFolderClusterOrNumber) {
  expect_variants_refused({"none"}, "none");
  expect_variants_refused({"one", "one"}, "two folders are called 'one'");
  expect_variants_refused({"one"}, "board has no cluster 'a76'; it has a53", {"--cluster", "a76"});
  for (const std::string value : {"nan", "-1", "inf"})
    expect_variants_refused({"one"}, "--fixed-ms is " + value + "; give a number from 0", {"--fixed-ms", value});
}

}  // namespace
}  // namespace trimtab
