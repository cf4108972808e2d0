#pragma once

// Files and exit through the emulator: Arm's "Semihosting for AArch32 and AArch64" (IHI 0070), and the same operations
// as "RISC-V Semihosting" calls them.

#include <stdint.h>

namespace trimtab::firmware {

inline int32_t semihosting(uint32_t operation, const void* argument) {
#if defined(__riscv)
  register uint32_t a0 asm("a0") = operation;
  register const void* a1 asm("a1") = argument;
  // three instructions of 32 bits that lie in one page
  asm volatile(".balign 16\n .option push\n .option norvc\n slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n .option pop"
               : "+r"(a0)
               : "r"(a1)
               : "memory");
  return static_cast<int32_t>(a0);
#else
  register uint32_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = argument;
  asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return static_cast<int32_t>(r0);
#endif
}

enum class FileMode : uint32_t { read = 1, write = 5 };  // "rb", "wb"

/// A handle, or -1.
template <uint32_t size>
inline int32_t open_file(const char (&name)[size], FileMode mode) {
  const uint32_t block[] = {reinterpret_cast<uint32_t>(name), static_cast<uint32_t>(mode), size - 1};
  return semihosting(0x01, block);
}

/// Whether all bytes were read (written).
inline bool read_bytes(int32_t file, void* bytes, uint32_t count) {
  const uint32_t block[] = {static_cast<uint32_t>(file), reinterpret_cast<uint32_t>(bytes), count};
  return semihosting(0x06, block) == 0;
}
inline bool write_bytes(int32_t file, const void* bytes, uint32_t count) {
  const uint32_t block[] = {static_cast<uint32_t>(file), reinterpret_cast<uint32_t>(bytes), count};
  return semihosting(0x05, block) == 0;
}

inline void close_file(int32_t file) {
  const uint32_t block[] = {static_cast<uint32_t>(file)};
  semihosting(0x02, block);
}

inline void print(const char* text) { semihosting(0x04, text); }

/// Ends the emulator with that exit code.
[[noreturn]] inline void exit_emulator(uint32_t code) {
  const uint32_t block[] = {0x20026, code};  // ADP_Stopped_ApplicationExit
  semihosting(0x20, block);
  for (;;) {
  }
}

}  // namespace trimtab::firmware
