/* SPDX-License-Identifier: Apache-2.0 */
/* The serial port of `trimtab validate` on Arm's CMSDK UART (DDI 0479D, 4.3), as the MPS2 boards have it: polled,
 * 115200 baud. Define the addresses and the clock of another board with -D. */

#include "trimtab/board_harness.h"

#ifndef BOARD_UART
#define BOARD_UART 0x40004000u /* UART0 of AN385, AN386 and AN500 */
#endif
#ifndef BOARD_CLOCK_HZ
#define BOARD_CLOCK_HZ 25000000u
#endif
#ifndef BOARD_BAUD
#define BOARD_BAUD 115200u
#endif

static volatile uint32_t* uart(uint32_t offset) { return (volatile uint32_t*)(uintptr_t)(BOARD_UART + offset); }

static void start_uart(void) {
  *uart(0x10) = BOARD_CLOCK_HZ / BOARD_BAUD; /* BAUDDIV */
  *uart(0x08) = 3;                           /* CTRL: transmit and receive */
}

int trimtab_board_read(void) {
  if ((*uart(0x04) & 2u) == 0) return -1; /* STATE: nothing received */
  return (int)(*uart(0x00) & 0xffu);
}

void trimtab_board_write(uint8_t byte) {
  while ((*uart(0x04) & 1u) != 0) { /* the transmitter is full */
  }
  *uart(0x00) = byte;
}

#ifdef TRIMTAB_BOARD_COUNTER
/* COUNTER of the MPS2's FPGA: it counts the core's clock. */
uint32_t trimtab_board_cycles(void) { return *(volatile uint32_t*)(uintptr_t)0x40028018u; }
#endif

int main(void) {
  start_uart();
  trimtab_board_serve();
  return 0;
}
