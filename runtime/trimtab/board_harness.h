#pragma once

/* The board's side of `trimtab validate`: answers the requests of board_link.h. NAME_board.c makes one of it for the
 * network NAME. It waits for nothing: a damaged frame is refused, and whatever is no frame is passed over. */

#include <string.h>

#include "trimtab/board_link.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Yours: the next byte of the serial line, or -1 where none has come yet; and a byte to the line, sent or queued. */
int trimtab_board_read(void);
void trimtab_board_write(uint8_t byte);
/* Yours where NAME_board.c is compiled with TRIMTAB_BOARD_COUNTER: a free-running counter of the core's cycles. Without
 * it the cycle counter of the debug unit (DWT) is read where the core has one. */
uint32_t trimtab_board_cycles(void);

/* Of NAME_board.c: serves for ever. */
void trimtab_board_serve(void);

/* The most bytes of data in a frame. */
#ifndef TRIMTAB_BOARD_FRAME_BYTES
#define TRIMTAB_BOARD_FRAME_BYTES 512
#endif

/* The network, as the harness calls it. */
struct trimtab_board_network {
  const char* hash;
  uint32_t input_bytes, output_bytes;
  uint16_t points, layers; /* layers: 0 where nothing is profiled */
  void* (*input)(void);
  void (*run)(void);
  const void* (*output)(void);
  int (*set_operating_point)(int point); /* null where there is one */
  uint32_t (*cycles)(void);              /* null where there is no counter */
  const uint32_t* layer_cycles;          /* of the last run, by layer; null where nothing is profiled */
};

struct trimtab_board {
  const struct trimtab_board_network* network;
  void (*write)(void* to, uint8_t byte);
  void* to;
  uint8_t frame[TRIMTAB_BOARD_FRAME_BYTES + 16];
  struct trimtab_link_reader reader;
  /* The last run, to answer a request that is sent again without running again. */
  uint8_t has_run, run_sequence;
  uint32_t output_crc;
  uint64_t run_cycles;
};

static inline void trimtab_board_begin(struct trimtab_board* board, const struct trimtab_board_network* network,
                                       void (*write)(void* to, uint8_t byte), void* to) {
  memset(board, 0, sizeof *board);
  board->network = network;
  board->write = write;
  board->to = to;
  board->reader.bytes = board->frame;
  board->reader.capacity = sizeof board->frame;
}

/* An answer lies in the frame, behind the type and the sequence number of its request. */
static inline void trimtab_board_answer(struct trimtab_board* board, uint32_t body_bytes) {
  trimtab_link_send(board->write, board->to, board->frame, (uint32_t)TRIMTAB_LINK_HEAD_BYTES + body_bytes);
}

static inline void trimtab_board_refuse(struct trimtab_board* board, enum trimtab_link_refusal reason) {
  board->frame[0] = (uint8_t)TRIMTAB_LINK_REFUSAL;
  board->frame[2] = (uint8_t)reason;
  trimtab_board_answer(board, 1);
}

static inline void trimtab_board_hello(struct trimtab_board* board) {
  const struct trimtab_board_network* network = board->network;
  uint8_t* body = board->frame + TRIMTAB_LINK_HEAD_BYTES;
  memcpy(body, "TRIM", 4);
  body[4] = (uint8_t)TRIMTAB_LINK_VERSION;
  body[5] = network->cycles != 0 ? 1 : 0;
  body[6] = (uint8_t)(network->points & 0xffu);
  body[7] = (uint8_t)(network->points >> 8);
  body[8] = (uint8_t)(network->layers & 0xffu);
  body[9] = (uint8_t)(network->layers >> 8);
  trimtab_link_put(body + 10, TRIMTAB_BOARD_FRAME_BYTES);
  trimtab_link_put(body + 14, network->input_bytes);
  trimtab_link_put(body + 18, network->output_bytes);
  memcpy(body + 22, network->hash, TRIMTAB_LINK_HASH_BYTES);
  board->has_run = 0;
  trimtab_board_answer(board, TRIMTAB_LINK_HELLO_BYTES);
}

static inline void trimtab_board_run(struct trimtab_board* board, uint32_t point, uint32_t input_crc) {
  const struct trimtab_board_network* network = board->network;
  uint8_t* body = board->frame + TRIMTAB_LINK_HEAD_BYTES;
  if (board->has_run == 0 || board->run_sequence != board->frame[1]) {
    uint32_t begin = 0, i;
    board->has_run = 0;
    if (point >= network->points) {
      trimtab_board_refuse(board, TRIMTAB_LINK_UNKNOWN);
      return;
    }
    if (trimtab_link_crc(network->input(), network->input_bytes) != input_crc) {
      trimtab_board_refuse(board, TRIMTAB_LINK_NO_INPUT);
      return;
    }
    if (network->set_operating_point != 0) network->set_operating_point((int)point);
    if (network->cycles != 0) begin = network->cycles();
    network->run();
    board->run_cycles = network->cycles != 0 ? network->cycles() - begin : 0u;
    if (network->layer_cycles != 0) { /* the sum of the layers does not wrap where one counter would */
      board->run_cycles = 0;
      for (i = 0; i < network->layers; ++i) board->run_cycles += network->layer_cycles[i];
    }
    board->output_crc = trimtab_link_crc(network->output(), network->output_bytes);
    board->run_sequence = board->frame[1];
    board->has_run = 1;
  }
  trimtab_link_put(body, board->output_crc);
  trimtab_link_put(body + 4, (uint32_t)(board->run_cycles & 0xffffffffu));
  trimtab_link_put(body + 8, (uint32_t)(board->run_cycles >> 32));
  trimtab_board_answer(board, 12);
}

/* Answers the request of `size` bytes in the frame. */
static inline void trimtab_board_serve_request(struct trimtab_board* board, uint32_t size) {
  const struct trimtab_board_network* network = board->network;
  uint8_t* body = board->frame + TRIMTAB_LINK_HEAD_BYTES;
  const uint32_t bytes = size - (uint32_t)TRIMTAB_LINK_HEAD_BYTES;
  const uint32_t first = bytes >= 4u ? trimtab_link_get(body) : 0u;
  const uint32_t second = bytes >= 8u ? trimtab_link_get(body + 4) : 0u;
  if (board->frame[0] == (uint8_t)TRIMTAB_LINK_HELLO) {
    trimtab_board_hello(board);
  } else if (board->frame[0] == (uint8_t)TRIMTAB_LINK_INPUT && bytes >= 4u && first <= network->input_bytes &&
             bytes - 4u <= network->input_bytes - first) {
    memcpy((uint8_t*)network->input() + first, body + 4, bytes - 4u);
    board->has_run = 0;
    trimtab_board_answer(board, 4);
  } else if (board->frame[0] == (uint8_t)TRIMTAB_LINK_RUN && bytes == 8u) {
    trimtab_board_run(board, first, second);
  } else if (board->frame[0] == (uint8_t)TRIMTAB_LINK_OUTPUT && bytes == 8u && first <= network->output_bytes &&
             second <= network->output_bytes - first && second <= (uint32_t)TRIMTAB_BOARD_FRAME_BYTES) {
    if (board->has_run == 0) {
      trimtab_board_refuse(board, TRIMTAB_LINK_NO_RESULT);
      return;
    }
    memcpy(body, (const uint8_t*)network->output() + first, second);
    trimtab_board_answer(board, second);
  } else if (board->frame[0] == (uint8_t)TRIMTAB_LINK_LAYERS && bytes == 8u && first <= network->layers &&
             second <= network->layers - first && second <= (uint32_t)TRIMTAB_BOARD_FRAME_BYTES / 4u &&
             network->layer_cycles != 0) {
    uint32_t i;
    if (board->has_run == 0) {
      trimtab_board_refuse(board, TRIMTAB_LINK_NO_RESULT);
      return;
    }
    for (i = 0; i < second; ++i) trimtab_link_put(body + 4u * i, network->layer_cycles[first + i]);
    trimtab_board_answer(board, 4u * second);
  } else {
    trimtab_board_refuse(board, TRIMTAB_LINK_UNKNOWN);
  }
}

/* Takes a byte of the line, and answers where it ends a request. */
static inline void trimtab_board_receive(struct trimtab_board* board, uint8_t byte) {
  const int32_t size = trimtab_link_receive(&board->reader, byte);
  if (size > 0) {
    trimtab_board_serve_request(board, (uint32_t)size);
  } else if (size < 0) {
    trimtab_board_refuse(board, TRIMTAB_LINK_DAMAGED);
  }
}

/* The cycle counter of the debug unit, which Armv7-M and Armv8-M with the Main Extension may have (Arm DDI 0403, C1.8;
 * DDI 0553, B14). */
#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__) || \
    defined(__ARM_ARCH_8_1M_MAIN__)
#define TRIMTAB_BOARD_HAS_DWT 1
static inline volatile uint32_t* trimtab_board_register(uintptr_t address) { return (volatile uint32_t*)address; }
static inline uint32_t trimtab_board_dwt(void) { return *trimtab_board_register(0xe0001004u); }
/* Switches the counter on. Whether it counts: a core can be built without it. */
static inline int trimtab_board_start_dwt(void) {
  uint32_t begin, i;
  *trimtab_board_register(0xe000edfcu) |= 1u << 24;   /* DEMCR.TRCENA */
  *trimtab_board_register(0xe0001fb0u) = 0xc5acce55u; /* DWT_LAR: the lock of the Cortex-M7 */
  *trimtab_board_register(0xe0001000u) |= 1u;         /* DWT_CTRL.CYCCNTENA */
  begin = trimtab_board_dwt();
  for (i = 0; i < 16u; ++i) {
    if (trimtab_board_dwt() != begin) return 1;
  }
  return 0;
}
#endif

#ifdef __cplusplus
}
#endif
