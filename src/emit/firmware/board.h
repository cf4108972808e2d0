#pragma once

// The address of a free-running counter. It differs between the emulated boards (chosen by -DTRIMTAB_BOARD_...).
// It is the COUNTER register of the FPGA's I/O block (Arm application notes AN385, AN386, AN500, AN505 and AN547),
// which QEMU drives from its virtual clock: with -icount that clock is the number of executed instructions.

#include <stdint.h>

namespace trimtab::firmware {

#if defined(TRIMTAB_BOARD_MPS2_AN385) || defined(TRIMTAB_BOARD_MPS2_AN386) || defined(TRIMTAB_BOARD_MPS2_AN500)
constexpr uintptr_t fpga_io = 0x40028000;
#elif defined(TRIMTAB_BOARD_MPS2_AN505)
constexpr uintptr_t fpga_io = 0x50302000;  // the secure alias
#elif defined(TRIMTAB_BOARD_MPS3_AN547)
constexpr uintptr_t fpga_io = 0x59302000;  // the secure alias
#else
#error "no board is chosen"
#endif

inline uint32_t ticks() { return *reinterpret_cast<const volatile uint32_t*>(fpga_io + 0x18); }

}  // namespace trimtab::firmware
