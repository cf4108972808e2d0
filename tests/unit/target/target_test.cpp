#include "target/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "target/share.h"

namespace trimtab {
namespace {

using testing::HasSubstr;

std::string complaint(const std::string& name) {
  try {
    (void)load_target(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return {};
}

TEST(Target, KnowsTheBoards) {
  EXPECT_THAT(target_names(),
              testing::IsSupersetOf({"cortex-m3", "cortex-m33", "cortex-m55", "esp32c3", "nrf52840", "rp2040",
                                     "stm32f412", "stm32f767", "stm32h7a3", "stm32l4r5", "stm32u385", "stm32u575"}));
  const Target target = load_target("stm32f412");
  EXPECT_EQ(target.processor, Processor::cortex_m4);
  EXPECT_EQ(target.clock_hz.value, 100'000'000);
  EXPECT_EQ(target.flash_bytes.value, 1 << 20);
  EXPECT_EQ(target.ram_bytes.value, 256 << 10);
  EXPECT_EQ(target.emulated_board, "mps2-an386");
}

TEST(Target, ApplicationProcessorsLoadProgramsIntoRam) {
  for (const std::string name : {"cortex-a7", "cortex-a15", "cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76"}) {
    const Target target = load_target(name);
    EXPECT_EQ(name_of(target.processor), name);
    EXPECT_EQ(target.flash_bytes.value, target.ram_bytes.value);
    EXPECT_EQ(target.flash_wait_states.value, 0);
    EXPECT_FALSE(target.flash_cache.has_value());
  }
}

TEST(Target, EveryNumberHasItsSource) {
  for (const std::string& name : target_names()) {
    const Target target = load_target(name);
    for (const Sourced& number : {target.clock_hz, target.flash_bytes, target.ram_bytes, target.flash_wait_states}) {
      EXPECT_FALSE(number.source.empty()) << name;
    }
    const bool is_board = !target.emulated_board.starts_with("qemu-");
    EXPECT_EQ(std::filesystem::exists(firmware_directory() / (target.emulated_board + ".ld")), is_board) << name;
  }
}

TEST(Target, SaysWhatIsWrong) {
  EXPECT_THAT(complaint("stm32f999"), testing::AllOf(HasSubstr("stm32f999"), HasSubstr("stm32f412")));
  EXPECT_THAT(complaint("nowhere/x.toml"), HasSubstr("nowhere/x.toml"));
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "mine.toml";
  std::string good = read_text(targets_directory() / "stm32f412.toml");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    write_file(file, text);
    return complaint(file.string());
  };
  EXPECT_EQ(with("1_048_576", "65536"), "");
  EXPECT_THAT(with("1_048_576", "-1"), HasSubstr("flash.bytes"));
  EXPECT_THAT(with("1_048_576", "\"much\""), HasSubstr("flash.bytes"));
  EXPECT_THAT(with("cortex-m4", "cortex-a5"), HasSubstr("\"cortex-a5\""));
  EXPECT_THAT(with("emulated_board", "board"), HasSubstr("emulated_board"));
  EXPECT_THAT(with("[clock]", "[clock"), HasSubstr("line"));
  EXPECT_THAT(with("microcontroller", "accelerator"), HasSubstr("microcontroller"));
}

}  // namespace
}  // namespace trimtab
