#pragma once

// The address of a free-running counter. It differs between the emulated boards (chosen by -DTRIMTAB_BOARD_...).
// It is the COUNTER register of the FPGA's I/O block (Arm application notes AN385, AN386, AN500, AN505 and AN547),
// which QEMU drives from its virtual clock: with -icount that clock is the number of executed instructions.

#include <stdint.h>

extern "C" uint32_t trimtab_bss_end[];

namespace trimtab::firmware {

#if defined(TRIMTAB_BOARD_MPS2_AN385) || defined(TRIMTAB_BOARD_MPS2_AN386) || defined(TRIMTAB_BOARD_MPS2_AN500)
constexpr uintptr_t fpga_io = 0x40028000;
#elif defined(TRIMTAB_BOARD_MPS2_AN505)
constexpr uintptr_t fpga_io = 0x50302000;  // the secure alias
#elif defined(TRIMTAB_BOARD_MPS3_AN547)
constexpr uintptr_t fpga_io = 0x59302000;  // the secure alias
#elif !defined(TRIMTAB_BOARD_MICROBIT) && !defined(TRIMTAB_BOARD_VIRT)
#error "no board is chosen"
#endif

#if defined(TRIMTAB_BOARD_MICROBIT)
// The micro:bit has no such block: TIMER0 of the nRF51 (reference manual, chapter 18) with 32 bits at 16 MHz.
inline uint32_t ticks() {
  const auto timer = [](uintptr_t offset) { return reinterpret_cast<volatile uint32_t*>(0x40008000 + offset); };
  static bool started = false;
  if (!started) {
    *timer(0x508) = 3;  // BITMODE: 32 bits
    *timer(0x510) = 0;  // PRESCALER
    *timer(0x000) = 1;  // TASKS_START
    started = true;
  }
  *timer(0x040) = 1;     // TASKS_CAPTURE[0]
  return *timer(0x540);  // CC[0]
}
#elif defined(TRIMTAB_BOARD_VIRT)
// With -icount QEMU's minstret counts the nanoseconds of its virtual clock, 128 of them for an instruction: a tick is
// one instruction.
inline uint32_t ticks() {
  uint32_t high, low, again;
  do {
    asm volatile(
        ".option push\n .option arch, +zicsr\n csrr %0, minstreth\n csrr %1, minstret\n csrr %2, minstreth\n .option "
        "pop"
        : "=r"(high), "=r"(low), "=r"(again));
  } while (high != again);
  return high << 25 | low >> 7;
}
#else
inline uint32_t ticks() { return *reinterpret_cast<const volatile uint32_t*>(fpga_io + 0x18); }
#endif

/// The lowest word that the stack may grow to: the end of the static data.
inline uint32_t* stack_limit(uint32_t* /*end*/) { return trimtab_bss_end; }

}  // namespace trimtab::firmware
