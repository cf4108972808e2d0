// Runs an emitted program in the emulator: reads samples from the file inputs.bin in the emulator's working folder,
// writes the program's outputs for them to outputs.bin and what the runs took to report.bin. TRIMTAB_NAME is the
// program's name: it exports NAME_input(), NAME_run() and NAME_output(). TRIMTAB_POINTS is the number of its operating
// points: where there are several, inputs.bin holds every sample once for each of them, and the runs of a sample go
// through the points. TRIMTAB_PUSHED_ROWS is the number of rows of an input that is pushed: the program then exports
// NAME_next_row() and NAME_push_row() in place of the first two.

#include <stdint.h>

#if defined(__linux__)
#include "process.h"
#else
#include "board.h"
#include "semihosting.h"
#endif

#define TRIMTAB_JOIN_(name, part) name##part
#define TRIMTAB_JOIN(name, part) TRIMTAB_JOIN_(name, part)
#define TRIMTAB_FUNCTION(part) TRIMTAB_JOIN(TRIMTAB_NAME, part)

extern "C" {
#if TRIMTAB_PUSHED_ROWS > 0
void* TRIMTAB_FUNCTION(_next_row)(void);
int TRIMTAB_FUNCTION(_push_row)(void);
#else
void* TRIMTAB_FUNCTION(_input)(void);
void TRIMTAB_FUNCTION(_run)(void);
#endif
const void* TRIMTAB_FUNCTION(_output)(void);
void TRIMTAB_FUNCTION(_after_layer)(int);
int main();
#if TRIMTAB_POINTS > 1
int TRIMTAB_FUNCTION(_set_operating_point)(int);
#endif
}

namespace {

using namespace trimtab::firmware;

constexpr uint32_t paint = 0x7ac3e15b;

/// Fills what lies between the static data and the stack.
__attribute__((noinline)) void paint_stack(uint32_t* limit, const uint32_t* end) {
  for (volatile uint32_t* word = limit; word != end; ++word) *word = paint;
}

/// Bytes below `end` that are no longer as they were painted.
__attribute__((noinline)) uint32_t stack_used(const uint32_t* limit, const uint32_t* end) {
  const volatile uint32_t* word = limit;
  while (word != end && *word == paint) ++word;
  return static_cast<uint32_t>(end - word) * 4;
}

#if !defined(TRIMTAB_PROFILE)
inline void after_layer(int) {}
#else
inline void after_layer(int layer) { TRIMTAB_FUNCTION(_after_layer)(layer); }
#endif

inline uint32_t* stack_pointer() {
  uint32_t* pointer;
#if defined(__riscv)
  asm volatile("mv %0, sp" : "=r"(pointer));
#else
  asm volatile("mov %0, sp" : "=r"(pointer));
#endif
  return pointer;
}

}  // namespace

#if defined(TRIMTAB_PROFILE)
/// Called by the program after every layer: a mark for the emulator's plugin.
extern "C" __attribute__((noinline)) void TRIMTAB_FUNCTION(_after_layer)(int /*layer*/) { asm volatile(""); }
#endif

int main() {
  struct {
    uint32_t samples, input_bytes, output_bytes, first_point;
  } header;
  struct {
    uint32_t samples, least_ticks, most_ticks, stack_bytes, longest_push, last_push;
  } report = {0, UINT32_MAX, 0, 0, 0, 0};
#if TRIMTAB_POINTS > 1
  uint32_t most_ticks[TRIMTAB_POINTS] = {};
  uint32_t point = 0;
#endif
  const int32_t inputs = open_file("inputs.bin", FileMode::read);
  if (inputs < 0 || !read_bytes(inputs, &header, sizeof header)) return 2;
  const int32_t outputs = open_file("outputs.bin", FileMode::write);
  if (outputs < 0) return 2;
  // what lies below main's own frame belongs to the program; paint_stack itself needs none of it
  uint32_t* const end = stack_pointer() - 8;
  uint32_t* const limit = stack_limit(end);
  paint_stack(limit, end);
#if TRIMTAB_POINTS > 1
  point = header.first_point;
  if (TRIMTAB_FUNCTION(_set_operating_point)(TRIMTAB_POINTS) != -1) return 4;
#endif
  (void)(ticks() - ticks());  // two marks with nothing between them, for machines that count between marks
  for (; report.samples < header.samples; ++report.samples) {
#if TRIMTAB_POINTS > 1
    if (TRIMTAB_FUNCTION(_set_operating_point)(static_cast<int>(point)) != 0) return 4;
#endif
    uint32_t taken = 0;
    uint32_t last = 0;
#if TRIMTAB_PUSHED_ROWS > 0
    for (int missing = TRIMTAB_PUSHED_ROWS; missing > 0;) {
      if (!read_bytes(inputs, TRIMTAB_FUNCTION(_next_row)(), header.input_bytes / TRIMTAB_PUSHED_ROWS)) return 2;
      after_layer(-1);
      const uint32_t begin = ticks();
      const int left = TRIMTAB_FUNCTION(_push_row)();
      last = ticks() - begin;
      taken += last;
      if (last > report.longest_push) report.longest_push = last;
      if (left != --missing) return 5;
    }
#else
    if (!read_bytes(inputs, TRIMTAB_FUNCTION(_input)(), header.input_bytes)) return 2;
    after_layer(-1);
    const uint32_t begin = ticks();
    TRIMTAB_FUNCTION(_run)();
    taken = last = ticks() - begin;
    if (last > report.longest_push) report.longest_push = last;
#endif
    if (last > report.last_push) report.last_push = last;
    if (taken < report.least_ticks) report.least_ticks = taken;
    if (taken > report.most_ticks) report.most_ticks = taken;
#if TRIMTAB_POINTS > 1
    if (taken > most_ticks[point]) most_ticks[point] = taken;
    point = point + 1 < TRIMTAB_POINTS ? point + 1 : 0;
#endif
    if (!write_bytes(outputs, TRIMTAB_FUNCTION(_output)(), header.output_bytes)) return 2;
  }
  if (*limit != paint) return 3;  // the stack has run into the data
  report.stack_bytes = stack_used(limit, end) + 32;
  close_file(outputs);
  const int32_t file = open_file("report.bin", FileMode::write);
  if (file < 0 || !write_bytes(file, &report, sizeof report)) return 2;
#if TRIMTAB_POINTS > 1
  if (!write_bytes(file, most_ticks, sizeof most_ticks)) return 2;
#endif
  close_file(file);
  return 0;
}
