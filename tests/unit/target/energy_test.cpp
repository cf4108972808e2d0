#include "target/energy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/error.h"

namespace trimtab {
namespace {

const std::string memory_and_traffic = R"(
[[memory]]
name = "sram"
fj_per_bit = 100
uncertainty_percent = 30
source = "test"
[[memory]]
name = "dram"
fj_per_bit = 1000
uncertainty_percent = 0
source = "test"
[traffic]
weights = "sram"
activations = "sram"
)";

/// A table whose energy per multiply-accumulate is 3 * weight bits * activation bits.
std::string text(const std::string& flags, const std::string& more_pairs = {}) {
  return "kind = \"accelerator\"\ndescription = \"test\"\ntechnology_nm = 28\n" + flags +
         "\n[mac]\nsource = \"test\"\nuncertainty_percent = 20\npairs = [\n"
         "  { weight_bits = 8, activation_bits = 8, fj = 192 }, { weight_bits = 8, activation_bits = 2, fj = 48 },\n"
         "  { weight_bits = 2, activation_bits = 2, fj = 12 }," +
         more_pairs + "]\n" + memory_and_traffic;
}

std::string refusal(const std::string& toml) {
  try {
    const EnergyTable table = parse_energy_table(toml, "x.toml");
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(EnergyTable, HasThePublishedFigures) {
  const EnergyTable table = load_energy_table("bitblade");
  EXPECT_EQ(table.mac_fj(8, 8), 873);
  EXPECT_EQ(table.mac_fj(8, 4), 430);
  EXPECT_EQ(table.mac_fj(4, 8), 430);
  EXPECT_EQ(table.mac_fj(2, 2), 52);
  EXPECT_FALSE(table.is_interpolated(4, 8));
  EXPECT_TRUE(table.is_interpolated(6, 6));
  EXPECT_EQ(load_energy_table("bitfusion").mac_fj(8, 2), 272);
  EXPECT_EQ(load_energy_table("loom").mac_fj(4, 4), 298);
  EXPECT_EQ(load_energy_table("horowitz").mac_fj(8, 8), 300);
  EXPECT_EQ(load_energy_table("horowitz").weights.fj_per_bit * 64, 100e3);  // 1 MB: 100 pJ
}

TEST(EnergyTable, EveryShippedTableIsReadable) {
  ASSERT_GE(energy_table_names().size(), 4U);
  for (const std::string& name : energy_table_names()) EXPECT_GT(load_energy_table(name).mac_fj(8, 8), 0) << name;
}

TEST(EnergyTable, InterpolatesAPowerLawExactly) {
  const EnergyTable table = parse_energy_table(text("interpolate = true\nsymmetric = true"), "x.toml");
  for (int weight = 2; weight <= 8; ++weight) {
    for (int activation = 2; activation <= 8; ++activation)
      EXPECT_NEAR(table.mac_fj(weight, activation), 3 * weight * activation, 1e-9) << weight << " x " << activation;
  }
}

TEST(EnergyTable, RefusesWhatItCannotTell) {
  const EnergyTable strict = parse_energy_table(text("symmetric = true"), "x.toml");
  EXPECT_EQ(strict.mac_fj(2, 8), 48);
  EXPECT_THROW((void)strict.mac_fj(4, 4), Error);
  const EnergyTable one_sided = parse_energy_table(text("interpolate = true"), "x.toml");
  EXPECT_NEAR(one_sided.mac_fj(8, 4), 96, 1e-9);
  EXPECT_THROW((void)one_sided.mac_fj(4, 8), Error);
  EXPECT_THROW((void)one_sided.mac_fj(16, 16), Error);
  EXPECT_THROW((void)load_energy_table("horowitz").mac_fj(4, 4), Error);
}

TEST(EnergyTable, MemoriesCanBeChosen) {
  EXPECT_EQ(parse_energy_table(text(""), "x.toml").weights.fj_per_bit, 100);
  EXPECT_EQ(parse_energy_table(text(""), "x.toml", "dram").weights.fj_per_bit, 1000);
  EXPECT_THROW((void)parse_energy_table(text(""), "x.toml", "tape"), Error);
}

TEST(EnergyTable, SaysWhatIsWrongWithAFile) {
  EXPECT_EQ(refusal("kind = \"soc\""), "x.toml describes no accelerator (kind = \"accelerator\")");
  EXPECT_EQ(refusal(text("", "{ weight_bits = 8, activation_bits = 8, fj = 1 }")),
            "x.toml: the pair of 8 x 8 bits is there twice");
  EXPECT_EQ(refusal(text("symmetric = true", "{ weight_bits = 2, activation_bits = 8, fj = 1 }")),
            "x.toml: the pair of 2 x 8 bits is there twice");
  EXPECT_EQ(refusal(text("", "{ weight_bits = 4, activation_bits = 8, fj = -1 }")),
            "x.toml: pairs of [mac]: 'fj' must be a number greater than 0");
  EXPECT_EQ(refusal(text("", "{ weight_bits = 0, activation_bits = 8, fj = 1 }")),
            "x.toml: pairs of [mac]: 'weight_bits' must be a whole number from 1 to 32");
  EXPECT_NE(refusal(text("colour = \"red\"")).find("unknown key 'colour'"), std::string::npos);
  EXPECT_NE(refusal("kind = ").find("is not TOML"), std::string::npos);
}

}  // namespace
}  // namespace trimtab
