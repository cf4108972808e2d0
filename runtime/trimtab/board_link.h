#pragma once

/* Frames on a serial line between `trimtab validate` and a board. C99 without a library; host and board compile this
 * file.
 *
 * A frame on the line is 0, COBS(type, sequence, body, CRC-32), 0. COBS (Cheshire and Baker, "Consistent Overhead Byte
 * Stuffing", 1999) leaves no 0 in a frame, so that whoever reads finds the next frame behind the next 0, whatever was
 * lost or added before. The host asks, the board answers with the sequence number of the request. A request that gets
 * no answer is sent again as it was: asking twice for anything changes nothing.
 *
 * Integers are little-endian. Requests and their answers:
 *   hello                     -> TRIM, version u8, counts cycles u8, operating points u16, layers u16 (0: not
 * profiled), most bytes of data in a frame u32, input bytes u32, output bytes u32, hash of the network input: offset
 * u32, data   -> offset u32 run: point u32, CRC-32 of the input u32 -> CRC-32 of the output u32, cycles u64 output:
 * offset u32, count u32           -> data layers: first u32, count u32            -> cycles u32 of each any of them ->
 * refusal: reason u8 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  TRIMTAB_LINK_VERSION = 1,
  TRIMTAB_LINK_HASH_BYTES = 64, /* SHA-256 in hexadecimal digits */
  TRIMTAB_LINK_HELLO_BYTES = 22 + TRIMTAB_LINK_HASH_BYTES,
  TRIMTAB_LINK_HEAD_BYTES = 2, /* type and sequence number */
  TRIMTAB_LINK_CHECK_BYTES = 4
};

enum trimtab_link_type {
  TRIMTAB_LINK_HELLO = 'H',
  TRIMTAB_LINK_INPUT = 'I',
  TRIMTAB_LINK_RUN = 'R',
  TRIMTAB_LINK_OUTPUT = 'O',
  TRIMTAB_LINK_LAYERS = 'L',
  TRIMTAB_LINK_REFUSAL = 'E'
};

enum trimtab_link_refusal {
  TRIMTAB_LINK_DAMAGED = 1,  /* a frame's CRC-32 is wrong; the sequence number of this refusal means nothing */
  TRIMTAB_LINK_UNKNOWN = 2,  /* no such request, or numbers beyond what there is */
  TRIMTAB_LINK_NO_INPUT = 3, /* the input that lies on the board has another CRC-32 */
  TRIMTAB_LINK_NO_RESULT = 4 /* there was no run since the input came */
};

static inline uint32_t trimtab_link_get(const uint8_t* bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline void trimtab_link_put(uint8_t* bytes, uint32_t value) {
  int i;
  for (i = 0; i < 4; ++i) bytes[i] = (uint8_t)(value >> 8 * i & 0xffu);
}

/* CRC-32 of ISO 3309 (polynomial 0x04c11db7, reflected), four bits at a time. */
static inline uint32_t trimtab_link_crc(const void* data, uint32_t count) {
  static const uint32_t table[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
                                     0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                     0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
  const uint8_t* bytes = (const uint8_t*)data;
  uint32_t crc = 0xffffffffu, i;
  for (i = 0; i < count; ++i) {
    crc = crc >> 4 ^ table[(crc ^ bytes[i]) & 15u];
    crc = crc >> 4 ^ table[(crc ^ (uint32_t)bytes[i] >> 4) & 15u];
  }
  return ~crc;
}

/* Reads a line byte by byte. `bytes` holds a frame without its CRC-32 when trimtab_link_receive() returns its size. */
struct trimtab_link_reader {
  uint8_t* bytes;
  uint32_t capacity; /* of `bytes`: the largest frame with its CRC-32 */
  uint32_t size;     /* of the frame so far */
  uint32_t block;    /* bytes until the next code of COBS */
  uint8_t code;      /* the last code; 0: the frame begins */
  uint8_t too_long;
};

static inline void trimtab_link_reset(struct trimtab_link_reader* reader) {
  reader->size = 0;
  reader->block = 0;
  reader->code = 0;
  reader->too_long = 0;
}

static inline void trimtab_link_append(struct trimtab_link_reader* reader, uint8_t byte) {
  if (reader->size < reader->capacity) {
    reader->bytes[reader->size++] = byte;
  } else {
    reader->too_long = 1;
  }
}

/* The size of the frame that this byte ends, type and sequence number included; 0 where it ends none; -1 where it ends
 * one that is damaged. */
static inline int32_t trimtab_link_receive(struct trimtab_link_reader* reader, uint8_t byte) {
  uint32_t size;
  int whole;
  if (byte != 0) {
    if (reader->block > 0) {
      trimtab_link_append(reader, byte);
      --reader->block;
      return 0;
    }
    if (reader->code != 0 && reader->code != 255u) trimtab_link_append(reader, 0);
    reader->code = byte;
    reader->block = byte - 1u;
    return 0;
  }
  if (reader->code == 0) return 0; /* between two frames */
  whole = reader->block == 0 && reader->too_long == 0 &&
          reader->size >= (uint32_t)TRIMTAB_LINK_HEAD_BYTES + (uint32_t)TRIMTAB_LINK_CHECK_BYTES;
  size = whole ? reader->size - (uint32_t)TRIMTAB_LINK_CHECK_BYTES : 0u;
  trimtab_link_reset(reader);
  if (!whole || trimtab_link_crc(reader->bytes, size) != trimtab_link_get(reader->bytes + size)) return -1;
  return (int32_t)size;
}

/* Writes a frame. `frame` holds type, sequence number and body, `size` bytes in all, and has room for the CRC-32. */
static inline void trimtab_link_send(void (*write)(void* to, uint8_t byte), void* to, uint8_t* frame, uint32_t size) {
  uint32_t begin = 0;
  int more = 1;
  trimtab_link_put(frame + size, trimtab_link_crc(frame, size));
  size += (uint32_t)TRIMTAB_LINK_CHECK_BYTES;
  write(to, 0);
  while (more) { /* a block: its length and one, then bytes up to a 0 or 254 of them */
    uint32_t count = 0, i;
    while (count < 254u && begin + count < size && frame[begin + count] != 0) ++count;
    write(to, (uint8_t)(count + 1u));
    for (i = 0; i < count; ++i) write(to, frame[begin + i]);
    begin += count;
    if (count < 254u) {
      more = begin < size; /* a 0, which the next block stands for */
      ++begin;
    } else {
      more = begin < size;
    }
  }
  write(to, 0);
}

#ifdef __cplusplus
}
#endif
