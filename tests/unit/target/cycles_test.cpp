#include "target/cycles.h"

#include <gtest/gtest.h>

namespace trimtab {
namespace {

Target core(Processor processor) {
  Target target;
  target.processor = processor;
  target.flash_wait_states.value = 3;
  target.flash_read_bytes.value = 16;
  return target;
}

ExecutedBlock block(std::vector<std::uint32_t> opcodes, std::int64_t runs = 1) {
  ExecutedBlock made;
  made.address = 0x1000;
  for (const std::uint32_t opcode : opcodes) made.bytes += opcode > 0xffff ? 4 : 2;
  made.opcodes = std::move(opcodes);
  made.runs = runs;
  return made;
}

double cycles(Processor processor, const std::vector<std::uint32_t>& opcodes) {
  const ExecutedBlock one = block(opcodes);
  return estimate_cycles({&one, 1}, core(processor))->without_waits;
}

// as arm-none-eabi-as encodes them
constexpr std::uint32_t ldr_r0_r1 = 0x6808;           // ldr r0, [r1]
constexpr std::uint32_t ldr_r2_r3 = 0x681a;           // ldr r2, [r3]
constexpr std::uint32_t ldr_r2_r0 = 0x6802;           // ldr r2, [r0]
constexpr std::uint32_t str_immediate = 0x605a;       // str r2, [r3, #4]
constexpr std::uint32_t str_register = 0x511a;        // str r2, [r3, r4]
constexpr std::uint32_t push_five = 0xb5f0;           // push {r4-r7, lr}
constexpr std::uint32_t ldm_three = 0xe890000e;       // ldm r0, {r1, r2, r3}
constexpr std::uint32_t ldrd = 0xe8f0ce02;            // ldrd r12, lr, [r0], #8
constexpr std::uint32_t ldr_wide = 0xf8512b04;        // ldr r2, [r1], #4
constexpr std::uint32_t ldr_lr_r0 = 0xf8d0e004;       // ldr lr, [r0, #4]
constexpr std::uint32_t ldr_r12_r0 = 0xf850cb10;      // ldr r12, [r0], #16
constexpr std::uint32_t ldrb_register = 0xf8112003;   // ldrb r2, [r1, r3]
constexpr std::uint32_t strb_immediate = 0xf8812064;  // strb r2, [r1, #100]
constexpr std::uint32_t sxtb16_rotated = 0xfa2ff392;  // sxtb16 r3, r2, ror #8
constexpr std::uint32_t sxtb16 = 0xfa2ff282;          // sxtb16 r2, r2
constexpr std::uint32_t smlad = 0xfb2c4402;           // smlad r4, r12, r2, r4
constexpr std::uint32_t mla = 0xfb013002;             // mla r0, r1, r2, r3
constexpr std::uint32_t mul = 0xfb01f002;             // mul r0, r1, r2
constexpr std::uint32_t smlal = 0xfbc64507;           // smlal r4, r5, r6, r7
constexpr std::uint32_t udiv = 0xfbb1f0f2;            // udiv r0, r1, r2
constexpr std::uint32_t tbb = 0xe8dff000;             // tbb [pc, r0]
constexpr std::uint32_t add_r1_r2 = 0x1851;           // adds r1, r2, r1
constexpr std::uint32_t vldr_s = 0xed930a00;          // vldr s0, [r3]
constexpr std::uint32_t vldm_four = 0xec930a04;       // vldmia r3, {s0-s3}
constexpr std::uint32_t vmov_two = 0xec510b10;        // vmov r0, r1, d0
constexpr std::uint32_t vmov_one = 0xee100a10;        // vmov r0, s0
constexpr std::uint32_t vmla = 0xee000a81;            // vmla.f32 s0, s1, s2
constexpr std::uint32_t vadd = 0xee300a81;            // vadd.f32 s0, s1, s2
constexpr std::uint32_t vdiv = 0xee800a81;            // vdiv.f32 s0, s1, s2
constexpr std::uint32_t subs = 0x3801;                // subs r0, #1
constexpr std::uint32_t bne = 0xd1fd;                 // bne

TEST(Cycles, AreThoseOfArmsTables) {
  const auto m4 = [](const std::vector<std::uint32_t>& opcodes) { return cycles(Processor::cortex_m4, opcodes); };
  EXPECT_EQ(m4({subs}), 1);
  EXPECT_EQ(m4({ldr_r0_r1}), 2);
  EXPECT_EQ(m4({ldr_wide}), 2);
  EXPECT_EQ(m4({ldrb_register}), 2);
  EXPECT_EQ(m4({str_immediate}), 1);
  EXPECT_EQ(m4({strb_immediate}), 1);
  EXPECT_EQ(m4({str_register}), 2);
  EXPECT_EQ(m4({ldrd}), 3);
  EXPECT_EQ(m4({ldm_three}), 4);
  EXPECT_EQ(m4({push_five}), 6);
  EXPECT_EQ(m4({tbb}), 4);  // six with the refill of the jump
  EXPECT_EQ(m4({smlad, mla, mul, smlal}), 4);
  EXPECT_EQ(m4({udiv}), 7);
  // DDI 0337, 3.3.2: "LDR R0,[R1]; LDR R1,[R2]: three cycles", unless the second's address is the first's result
  EXPECT_EQ(m4({ldr_r0_r1, ldr_r2_r3}), 3);
  EXPECT_EQ(m4({ldr_r0_r1, ldr_r2_r0}), 4);
  EXPECT_EQ(m4({ldr_r0_r1, str_register}), 3);
  // 3.3.2: an address that data processing makes just before a load or store waits a cycle
  EXPECT_EQ(m4({add_r1_r2, ldr_r0_r1}), 4);
  EXPECT_EQ(m4({add_r1_r2, subs, ldr_r0_r1}), 4);
  EXPECT_EQ(m4({add_r1_r2, str_immediate}), 2);
  EXPECT_EQ(m4({mla, ldr_r2_r0}), 4);
  EXPECT_EQ(cycles(Processor::cortex_m0plus, {add_r1_r2, ldr_r0_r1}), 3);
  // 7.2.3: VLDR 2 and 3, VLDM 1 + N, VMOV of two 2, VMLA 3, VDIV 14
  EXPECT_EQ(m4({vldr_s}), 2);
  EXPECT_EQ(m4({vldm_four}), 5);
  EXPECT_EQ(m4({vmov_two}), 2);
  EXPECT_EQ(m4({vmov_one}), 1);
  EXPECT_EQ(m4({vmla}), 3);
  EXPECT_EQ(m4({vadd}), 1);
  EXPECT_EQ(m4({vdiv}), 14);
  EXPECT_EQ(cycles(Processor::cortex_m3, {mla}), 2);
  EXPECT_EQ(cycles(Processor::cortex_m3, {mul}), 1);
  EXPECT_EQ(cycles(Processor::cortex_m3, {smlal}), 5);
  EXPECT_EQ(cycles(Processor::cortex_m0plus, {ldr_r0_r1, ldr_r2_r3, str_immediate}), 6);
}

TEST(Cycles, TheInnermostPairOfTheM4TakesEighteen) {
  const double pair = cycles(Processor::cortex_m4, {ldr_wide, ldrd, sxtb16_rotated, sxtb16, smlad, smlad, smlad, smlad,
                                                    ldrd, smlad, smlad, smlad, smlad});
  EXPECT_EQ(pair, 18);
  // With an LDR for every word it would take 17, with two instructions more: LDRD is never pipelined.
  EXPECT_EQ(cycles(Processor::cortex_m4, {ldr_wide, ldr_lr_r0, ldr_r12_r0, sxtb16_rotated, sxtb16, smlad, smlad, smlad,
                                          smlad, ldr_r12_r0, ldr_lr_r0, smlad, smlad, smlad, smlad}),
            17);
}

TEST(Cycles, JumpsRefillThePipelineAndLinesOfTheFlashWait) {
  ExecutedBlock loop = block({subs, bne}, 100);
  loop.entered = 99;
  loop.left = 99;
  loop.flash_lines = 5;
  const Target target = core(Processor::cortex_m4);
  const CycleEstimate estimate = *estimate_cycles({&loop, 1}, target);
  EXPECT_EQ(estimate.without_waits, 100 * 2 + 99 * 2);
  EXPECT_EQ(estimate.least, estimate.without_waits);
  EXPECT_EQ(estimate.expected, estimate.most);
  EXPECT_EQ(estimate.most - estimate.without_waits, (100 + 5) * 3);  // begins at a line
  loop.address += 4;
  EXPECT_EQ(estimate_cycles({&loop, 1}, target)->most - estimate.without_waits, (99 + 5) * 3);
  EXPECT_EQ(count_instructions({&loop, 1}), 200);
}

TEST(Cycles, MissesOfTheCachesWait) {
  Target target = core(Processor::cortex_m4);
  target.flash_cache = FlashCache{64, 8, 16, true, ""};
  ExecutedBlock loop = block({subs, bne}, 100);
  loop.flash_misses = {10, 4, 20, 6, 1, 2};
  CycleEstimate estimate = *estimate_cycles({&loop, 1}, target);
  EXPECT_EQ(estimate.least, 200 + 5 * 3);
  EXPECT_EQ(estimate.expected, 200 + 5 * 3);  // fills lines and prefetches
  EXPECT_EQ(estimate.most, 200 + 22 * 3);
  target.flash_cache->prefetches = false;
  EXPECT_EQ(estimate_cycles({&loop, 1}, target)->expected, 200 + 11 * 3);
  estimate = estimate + estimate;
  EXPECT_EQ(estimate.most, 2 * (200 + 22 * 3));
  // Lines of four reads of 8 bytes: 400 bytes ran in 200 cycles, 4 for a read, which comes every 4 with the 3 waits.
  target.flash_cache = FlashCache{32, 8, 32, false, ""};
  target.flash_read_bytes.value = 8;
  EXPECT_EQ(estimate_cycles({&loop, 1}, target)->expected, 200 + 11 * 3);
  target.flash_wait_states.value = 5;  // every further read is 2 late
  EXPECT_EQ(estimate_cycles({&loop, 1}, target)->expected, 200 + 10 * (5 + 3 * 2) + 1 * 5);
}

/// Straight code of `lines` lines of 32 bytes, `rounds` times, on the caches of the STM32L4: reads of 8 bytes.
FlashMisses misses_of_loop(std::uint64_t lines, int rounds) {
  FlashCaches caches({32, 8, 32, 8});
  FlashMisses misses{};
  for (int round = 0; round < rounds; ++round) {
    for (std::uint64_t line = 0; line < lines; ++line) caches.fetch(0x8000000 + line * 32, 32, misses);
  }
  return misses;
}

TEST(FlashCaches, HoldALoopThatFitsAndThrashOnOneThatDoesNot) {
  // 32 lines: the first round misses each line, or each of their 128 reads; prefetching hides all but the first
  EXPECT_EQ(misses_of_loop(32, 10), (FlashMisses{32, 1, 128, 1, 0, 0}));
  // one line more, and least recently used always throws out the line that comes next; the jump back is no sequence
  EXPECT_EQ(misses_of_loop(33, 10), (FlashMisses{330, 10, 1320, 10, 0, 0}));
}

TEST(FlashCaches, KeepDataApart) {
  FlashCaches caches({64, 8, 16, 16});
  FlashMisses misses{};
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t line = 0; line < 8; ++line) caches.load(0x8001000 + 16 * line + 4, misses);
  }
  EXPECT_EQ(misses, (FlashMisses{0, 0, 0, 0, 8, 8}));
  caches.fetch(0x8001000, 16, misses);  // the same line as instructions
  EXPECT_EQ(misses, (FlashMisses{1, 1, 1, 1, 8, 8}));
}

TEST(Cycles, OnlyWherePublishedOrScaled) {
  const ExecutedBlock one = block({subs, subs, subs, subs});
  EXPECT_FALSE(estimate_cycles({&one, 1}, core(Processor::cortex_m55)).has_value());
  EXPECT_TRUE(cycle_model(Processor::cortex_m55).empty());
  EXPECT_NEAR(cycles(Processor::cortex_m7, {subs, subs, subs, subs}), 4 * 3.378 / 5.009, 1e-3);
  EXPECT_NE(cycle_model(Processor::cortex_m7).find("CoreMark"), std::string::npos);
}

}  // namespace
}  // namespace trimtab
