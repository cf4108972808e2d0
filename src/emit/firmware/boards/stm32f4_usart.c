/* SPDX-License-Identifier: Apache-2.0 */
/* The serial port of `trimtab validate` on a USART of the STM32F4 (ST RM0402): polled, 115200 baud. The defaults are
 * the virtual port of a NUCLEO-F412ZG's debugger: USART3 on PD8 and PD9. Define others with -D. */

#include "trimtab/board_harness.h"

#ifndef BOARD_USART
#define BOARD_USART 0x40004800u        /* USART3 */
#define BOARD_USART_ENABLE 0x40023840u /* RCC_APB1ENR */
#define BOARD_USART_ENABLE_BIT 18
#define BOARD_USART_DIVIDER 2u /* of the core's clock, at full speed: APB1 */
#endif
#ifndef BOARD_PORT
#define BOARD_PORT 3      /* GPIOD */
#define BOARD_TRANSMIT 8  /* PD8 */
#define BOARD_RECEIVE 9   /* PD9 */
#define BOARD_ALTERNATE 7 /* the pins' function that is the USART */
#endif
#ifndef BOARD_BAUD
#define BOARD_BAUD 115200u
#endif

static volatile uint32_t* at(uint32_t address) { return (volatile uint32_t*)(uintptr_t)address; }

/* Whether a bit was set within a while: a clock that does not start leaves the board at the 16 MHz that it wakes up
 * with. */
static int becomes_set(uint32_t address, uint32_t bits) {
  uint32_t i;
  for (i = 0; i < 100000u; ++i) {
    if ((*at(address) & bits) == bits) return 1;
  }
  return 0;
}

/* 100 MHz from the internal oscillator, with the flash accelerator on. The clock of the USART. */
static uint32_t start_clock(void) {
  *at(0x40023840u) |= 1u << 28;                            /* RCC_APB1ENR: PWR */
  *at(0x40007000u) |= 3u << 14;                            /* PWR_CR: the regulator's scale for 100 MHz */
  *at(0x40023804u) = 8u | 100u << 6 | 8u << 24 | 2u << 28; /* RCC_PLLCFGR: 16 MHz / 8 * 100 / 2 */
  *at(0x40023800u) |= 1u << 24;                            /* RCC_CR: PLL on */
  if (!becomes_set(0x40023800u, 1u << 25)) return 16000000u;
  *at(0x40023c00u) = 3u | 1u << 8 | 1u << 9 | 1u << 10; /* FLASH_ACR: 3 wait states, prefetch, both caches */
  if (!becomes_set(0x40023c00u, 3u)) return 16000000u;
  *at(0x40023808u) = 4u << 10; /* RCC_CFGR: APB1 at half the clock */
  *at(0x40023808u) |= 2u;      /* the PLL is the core's clock */
  return becomes_set(0x40023808u, 2u << 2) ? 100000000u / BOARD_USART_DIVIDER : 16000000u;
}

static void connect(uint32_t pin) {
  const uint32_t port = 0x40020000u + 0x400u * BOARD_PORT;
  const uint32_t function = port + 0x20u + 4u * (pin / 8u);
  *at(port) = (*at(port) & ~(3u << 2 * pin)) | 2u << 2 * pin; /* MODER: alternate function */
  *at(function) = (*at(function) & ~(15u << 4 * (pin % 8u))) | (uint32_t)BOARD_ALTERNATE << 4 * (pin % 8u);
}

static void start_usart(void) {
  const uint32_t clock = start_clock();
  *at(0x40023830u) |= 1u << BOARD_PORT; /* RCC_AHB1ENR */
  *at(BOARD_USART_ENABLE) |= 1u << BOARD_USART_ENABLE_BIT;
  connect(BOARD_TRANSMIT);
  connect(BOARD_RECEIVE);
  *at(BOARD_USART + 0x08u) = (clock + BOARD_BAUD / 2u) / BOARD_BAUD; /* BRR */
  *at(BOARD_USART + 0x0cu) = 1u << 13 | 1u << 3 | 1u << 2;           /* CR1: on, transmit and receive */
}

int trimtab_board_read(void) {
  if ((*at(BOARD_USART) & 1u << 5) == 0) return -1; /* SR: nothing received */
  return (int)(*at(BOARD_USART + 0x04u) & 0xffu);   /* also clears an overrun */
}

void trimtab_board_write(uint8_t byte) {
  while ((*at(BOARD_USART) & 1u << 7) == 0) { /* the transmitter is full */
  }
  *at(BOARD_USART + 0x04u) = byte;
}

int main(void) {
  start_usart();
  trimtab_board_serve();
  return 0;
}
