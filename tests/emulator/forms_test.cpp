// Every form of what is handed over makes the very image that was measured: for every target and setting, each build
// file and each package, compiled with nothing but the shipped files, links to the same sizes and runs in as many
// instructions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <tuple>

#include "base/error.h"
#include "emulator/forms.h"
#include "support/program_builder.h"
#include "support/test_name.h"

namespace trimtab {
namespace {

struct Form {
  const char* name;
  Objects (*build)(const HandedOver&);
  bool has_recipe = true;  ///< whether it compiles as the measured image was, and so gives the same image
};

constexpr std::array forms{
    Form{"make",
         [](const HandedOver& handed) { return Objects{by_make(handed.out() / "device", handed.core_flags())}; }},
    Form{"cmake",
         [](const HandedOver& handed) { return Objects{by_cmake(handed.out() / "device", handed.core_flags())}; }},
    Form{"arduino", by_arduino},
    Form{"arduino_sources", by_arduino_sources, false},
    Form{"platformio", by_platformio},
    Form{"zephyr", by_zephyr},
    Form{"cmsis_pack", by_cmsis_pack}};

/// Small, since every form of every target compiles it: assembly, kernels of the core's own and portable ones.
Program layers_of_a_mobilenet() {
  ProgramBuilder b(8, 1);
  b.program.input = b.add_buffer(10, 9, 3, {1, 8, false});
  BufferId x = b.convolution(b.program.input, square(24, 3, 2, 10), {1, 8, false}, 8);
  x = b.convolution(x, square(24, 3, 1, 5, 24), {1, 8, false}, 8);
  x = b.global_average_pool(x, {1, 8, false});
  return b.finish(b.convolution(x, square(5, 1, 1, 1), {1, 16, true}, 8));
}

/// ESP-IDF's chips are no Arm: they run the kernels' portable form, which vectors do not have.
void expect_esp_idf(const HandedOver& handed) {
  if (core_of(handed.target) == Core::cortex_m55) {
    EXPECT_THAT([&] { (void)handed.package("esp-idf"); },
                testing::ThrowsMessage<Error>(testing::HasSubstr("runs on no chip of ESP-IDF")));
    return;
  }
  const int differing = differing_on_an_esp32_c3(handed);
  EXPECT_EQ(differing, 0);
  testing::Test::RecordProperty("esp_idf", differing);
}

/// CMSIS packs are for Arm's cores.
void expect_no_cmsis_pack(const HandedOver& handed) {
  EXPECT_THAT([&] { (void)handed.package("cmsis-pack"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("CMSIS packs are for Arm's cores")));
}

class ShippedForms : public testing::TestWithParam<std::tuple<std::string, Optimize>> {};

TEST_P(ShippedForms, AreTheMeasuredImage) {
  const auto& [target, setting] = GetParam();
  const HandedOver handed(target, setting, layers_of_a_mobilenet());
  ASSERT_EQ(handed.measured.mismatches, 0);
  RecordProperty("target", target);
  RecordProperty("setting", name_of_setting(setting));
  HandedOver::record("measured", handed.measured.flash_bytes(), handed.measured.instructions(),
                     handed.measured.stack_bytes);
  for (const Form& form : forms) {
    const bool riscv = is_riscv(handed.core_flags());
    if (riscv && std::string(form.name) == "arduino") continue;  // it has sources alone
    if (riscv && std::string(form.name) == "cmsis_pack") {
      expect_no_cmsis_pack(handed);
      continue;
    }
    const Objects objects = form.build(handed);
    if (HasFatalFailure()) return;
    handed.expect_image(form.name, objects, form.has_recipe);
  }
  expect_esp_idf(handed);
}

INSTANTIATE_TEST_SUITE_P(Targets, ShippedForms,
                         testing::Combine(testing::ValuesIn(microcontrollers()),
                                          testing::Values(Optimize::speed, Optimize::size)),
                         [](const auto& instance) {
                           return test::test_name(std::get<0>(instance.param)) + "_" +
                                  name_of_setting(std::get<1>(instance.param));
                         });

}  // namespace
}  // namespace trimtab
