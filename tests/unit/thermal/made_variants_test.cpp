#include "thermal/made_variants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "support/fake_board.h"
#include "thermal/workload.h"

// Tables of variants from finished folders: what read_variants() reads of them against the figures of the folders, and
// what is refused.
namespace trimtab::thermal {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Variants : public testing::Test {
 protected:
  std::filesystem::path finished(const std::string& name, const json& result) const {
    make_directory(folder_.path() / name);
    write_file(folder_.path() / name / "result.json", result.dump());
    return folder_.path() / name;
  }
  static json fit() {
    return {{"command", "fit"}, {"target", "cortex-a53"}, {"data", "cifar10:test"},
            {"samples", 500},   {"top1", 85.5},           {"instructions", 2000000}};
  }
  static json scale() {
    const auto point = [](double top1) {
      return json{{"measured", {{{"level", "all"}, {"test", {{"top1", top1}, {"samples", 500}}}}}}};
    };
    return {{"command", "scale"},
            {"data", "cifar10:test"},
            {"device", {{"target", "cortex-a53"}, {"instructions", {3000000, 2500000}}}},
            {"points", {point(86), point(84.25)}}};
  }
  static Soc soc(double volts = 0.9) {
    Soc soc;
    soc.name = "board";
    Cluster cluster;
    cluster.name = "a72";
    cluster.cores = 2;
    cluster.opps = {{1000, 1.0}};
    soc.clusters.push_back(cluster);
    cluster.name = "a53";
    cluster.opps = {{600, volts}, {1200, volts}};
    soc.clusters.push_back(cluster);
    return soc;
  }
  std::string complaint(const std::vector<json>& results, const Soc& board = soc(),
                        const std::string& cluster = "") const {
    std::vector<std::filesystem::path> folders;
    for (std::size_t i = 0; i < results.size(); ++i) folders.push_back(finished("out" + std::to_string(i), results[i]));
    try {
      (void)read_made_variants(folders, board, cluster);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return error.what();
    }
    return "";
  }
  static json with(json result, const std::string& key, const json& value) {
    result[key] = value;
    return result;
  }

  TemporaryDirectory folder_;
};

TEST_F(Variants, AreReadAsTheyWereMade) {
  const MadeVariants made =
      read_made_variants({finished("whole, 8 bits", fit()), finished("nested", scale())}, soc(), "");
  EXPECT_EQ(made.cluster, "a53");
  VariantAssumptions assumed;
  assumed.instructions_per_cycle = 0.8;
  assumed.fixed_ms = 1.5;
  assumed.joule_per_ginstruction = 0.25;
  const std::filesystem::path table = folder_.path() / "net.csv";
  const std::string text = format_variants(made, soc(), assumed);
  write_file(table, text);
  const std::vector<Variant> read = read_variants(table);
  ASSERT_EQ(read.size(), 3U);
  const std::vector<std::pair<std::string, std::pair<double, double>>> expected{
      {"whole, 8 bits", {2e6, 85.5}}, {"nested:0", {3e6, 86}}, {"nested:1", {2.5e6, 84.25}}};
  for (std::size_t i = 0; i < read.size(); ++i) {
    const auto& [name, figures] = expected[i];
    EXPECT_EQ(read[i].name, name);
    EXPECT_EQ(read[i].cluster, "a53");
    EXPECT_EQ(read[i].cores, 1);
    EXPECT_DOUBLE_EQ(read[i].gcycles, figures.first * 1e-9 / 0.8);
    EXPECT_DOUBLE_EQ(read[i].fixed_s, 1.5e-3);
    EXPECT_DOUBLE_EQ(read[i].joule_per_v2, figures.first * 1e-9 * 0.25);
    EXPECT_DOUBLE_EQ(read[i].accuracy, figures.second);
  }
  for (const char* column : {"accuracy: measured", "instructions: emulated", "gcycles: assumed", "fixed_ms: assumed",
                             "mj_per_v2: assumed", "cores: emulated"}) {
    EXPECT_THAT(text, HasSubstr(std::string("# ") + column));
  }
  EXPECT_EQ(thermal_points(soc().clusters[1], read[0]).size(), 2U);
}

TEST_F(Variants, OfOneProgramHaveTheNumbersOfItsPoints) {
  const MadeVariants made = read_made_variants({finished("nested", scale())}, soc(), "");
  ASSERT_EQ(made.variants.size(), 2U);
  EXPECT_EQ(made.variants[0].name, "0");
  EXPECT_EQ(made.variants[1].name, "1");
}

TEST_F(Variants, ThatCannotBeComparedAreRefused) {
  EXPECT_EQ(complaint({fit()}), "");
  EXPECT_THAT(complaint({fit(), with(fit(), "samples", 400)}),
              HasSubstr("out1 was measured on 400 samples of cifar10:test, and"));
  EXPECT_THAT(complaint({fit(), with(fit(), "data", "images:x")}), HasSubstr("variants need a common data set"));
  EXPECT_THAT(complaint({fit(), with(fit(), "target", "cortex-a72")}),
              HasSubstr("variants of a cluster need one core"));
  EXPECT_THAT(complaint({with(fit(), "target", "stm32f412")}), HasSubstr("was made for stm32f412; variants are for"));
  EXPECT_THAT(complaint({with(fit(), "target", nullptr)}), HasSubstr("was made for this machine"));
  EXPECT_THAT(complaint({with(fit(), "target", "cortex-a15")}),
              HasSubstr("was made for cortex-a15, and board has the clusters a72, a53"));
  EXPECT_EQ(complaint({with(fit(), "target", "cortex-a15")}, soc(), "a72"), "");
  EXPECT_THAT(complaint({fit()}, soc(), "a76"), HasSubstr("board has no cluster 'a76'; it has a72, a53"));
  EXPECT_THAT(complaint({fit()}, soc(0)), HasSubstr("the cluster 'a53' of board has no voltages"));
  EXPECT_THAT(complaint({with(fit(), "command", "assess")}), HasSubstr("is no result of fit or scale"));
  EXPECT_THAT(complaint({with(fit(), "top1", nullptr)}), HasSubstr("has no top-1"));
  EXPECT_THAT(complaint({with(fit(), "instructions", -3)}), HasSubstr("instructions of an inference"));
  EXPECT_THAT(complaint({with(scale(), "device", nullptr)}), HasSubstr("no instructions of its 2 operating points"));
  EXPECT_THAT(complaint({}), HasSubstr("there is no folder"));
  // the same folder twice
  const std::filesystem::path one = finished("one", fit());
  EXPECT_THROW((void)read_made_variants({one, one}, soc(), ""), Error);
}

// Table and SoC as they are shipped.
TEST_F(Variants, OfMobileNetRunOnTheExynos) {
  const Soc exynos = read_soc(source("targets/socs/exynos5422.toml"));
  const std::vector<Variant> variants = read_variants(source("targets/socs/mobilenet_v1_0.25-exynos5422.csv"));
  ASSERT_EQ(variants.size(), 4U);
  for (const Variant& variant : variants) {
    EXPECT_EQ(thermal_points(exynos.clusters[0], variant).size(), exynos.clusters[0].opps.size()) << variant.name;
    // a J/V^2 for 1e9 instructions, of 1.03 instructions a cycle
    EXPECT_NEAR(variant.joule_per_v2, 0.2807 * 1.03 * variant.gcycles, 1e-6) << variant.name;
  }
}

}  // namespace
}  // namespace trimtab::thermal
