#pragma once

// What the harness needs of a machine, where that is an emulator of processes: files by Linux, and marks for the
// plugin that counts instructions (plugin/instruction_count.cpp) in place of a counter.

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

/// Entered before and after every run.
extern "C" __attribute__((noinline)) inline void trimtab_count() { asm volatile("" ::: "memory"); }

namespace trimtab::firmware {

enum class FileMode : int { read = O_RDONLY, write = O_WRONLY | O_CREAT | O_TRUNC };

/// A handle, or -1.
inline int32_t open_file(const char* name, FileMode mode) { return open(name, static_cast<int>(mode), 0644); }

/// Whether all bytes were read (written).
inline bool read_bytes(int32_t file, void* bytes, uint32_t count) {
  for (auto* to = static_cast<uint8_t*>(bytes); count > 0;) {
    const ssize_t done = read(file, to, count);
    if (done <= 0) return false;
    to += done;
    count -= static_cast<uint32_t>(done);
  }
  return true;
}
inline bool write_bytes(int32_t file, const void* bytes, uint32_t count) {
  for (const auto* from = static_cast<const uint8_t*>(bytes); count > 0;) {
    const ssize_t done = write(file, from, count);
    if (done <= 0) return false;
    from += done;
    count -= static_cast<uint32_t>(done);
  }
  return true;
}

inline void close_file(int32_t file) { close(file); }

/// The plugin counts: the difference of two calls is nothing.
inline uint32_t ticks() {
  trimtab_count();
  return 0;
}

/// The lowest word that the stack below `end` may grow to: Linux grants more than this.
inline uint32_t* stack_limit(uint32_t* end) { return end - (uint32_t{1} << 20) / 4; }

}  // namespace trimtab::firmware
