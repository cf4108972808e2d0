// From reset to main on every emulated board: vector table or trap vector, memory, floating point and vector unit. A
// fault ends the emulator with exit code 125.

#include <stdint.h>

#include "semihosting.h"

extern "C" {

extern uint32_t trimtab_stack_top[];
extern const uint32_t trimtab_data_source[];
extern uint32_t trimtab_data_begin[];
extern uint32_t trimtab_data_end[];
extern uint32_t trimtab_bss_begin[];
extern uint32_t trimtab_bss_end[];

int main();

void trimtab_fault() { trimtab::firmware::exit_emulator(125); }

__attribute__((noreturn, used)) void trimtab_start() {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  *reinterpret_cast<volatile uint32_t*>(0xe000ed88) |= 0xf00000;  // CPACR: full access to CP10 and CP11
  asm volatile("dsb\n isb" ::: "memory");
#endif
  const uint32_t* source = trimtab_data_source;
  for (uint32_t* word = trimtab_data_begin; word != trimtab_data_end;) *word++ = *source++;
  for (uint32_t* word = trimtab_bss_begin; word != trimtab_bss_end;) {
    *word++ = 0;
    asm volatile("" ::: "memory");  // stays a loop: memset may not run yet
  }
  trimtab::firmware::exit_emulator(static_cast<uint32_t>(main()));
}

#if defined(__riscv)
// Machine mode from reset on; every exception is a fault, and there are no interrupts. The core starts here, at the
// beginning of the image.
__attribute__((aligned(4), used)) void trimtab_trap() { trimtab_fault(); }

__attribute__((naked, section(".vectors"), used)) void trimtab_reset() {
  asm volatile(
      ".option push\n .option arch, +zicsr\n"
      "la sp, trimtab_stack_top\n la t0, trimtab_trap\n csrw mtvec, t0\n"
      ".option pop\n"
      "j trimtab_start");
}
#else
// The address of the stack is loaded by the core; Armv8-M's stack limit stays 0.
__attribute__((naked)) void trimtab_reset() { asm volatile("bl trimtab_start"); }

using Handler = void (*)();
struct Vectors {
  uint32_t* stack;
  Handler handlers[15];
};

__attribute__((section(".vectors"), used)) extern const Vectors trimtab_vectors = {
    trimtab_stack_top,
    {trimtab_reset, trimtab_fault, trimtab_fault, trimtab_fault, trimtab_fault, trimtab_fault, trimtab_fault, nullptr,
     nullptr, nullptr, trimtab_fault, trimtab_fault, nullptr, trimtab_fault, trimtab_fault}};
#endif
}
