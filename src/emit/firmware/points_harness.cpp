// Runs an emitted scalable program in the emulator at all its operating points: for every point, and for every sample
// in the file inputs.bin, twice, writing what the program makes of it to outputs.bin, and to report.bin what it took.
// TRIMTAB_NAME is the program's name.

#include <stdint.h>

#include "board.h"
#include "semihosting.h"

#define TRIMTAB_JOIN_(name, part) name##part
#define TRIMTAB_JOIN(name, part) TRIMTAB_JOIN_(name, part)
#define TRIMTAB_FUNCTION(part) TRIMTAB_JOIN(TRIMTAB_NAME, part)

extern "C" {
void* TRIMTAB_FUNCTION(_input)(void);
void TRIMTAB_FUNCTION(_run)(void);
const void* TRIMTAB_FUNCTION(_output)(void);
int TRIMTAB_FUNCTION(_set_operating_point)(int);
int main();
}

namespace {

using namespace trimtab::firmware;

struct Header {
  uint32_t samples, input_bytes, output_bytes, points;
};

/// Ticks of one run on the sample that is read now.
uint32_t timed_run(int32_t inputs, const Header& header, bool& good) {
  good = good && read_bytes(inputs, TRIMTAB_FUNCTION(_input)(), header.input_bytes);
  const uint32_t begin = ticks();
  TRIMTAB_FUNCTION(_run)();
  return ticks() - begin;
}

}  // namespace

int main() {
  Header header;
  const int32_t inputs = open_file("inputs.bin", FileMode::read);
  if (inputs < 0 || !read_bytes(inputs, &header, sizeof header)) return 2;
  const int32_t outputs = open_file("outputs.bin", FileMode::write);
  const int32_t report = open_file("report.bin", FileMode::write);
  if (outputs < 0 || report < 0) return 2;
  // inputs.bin holds every sample twice in a row, again for every point: the first run of a pair may have to switch.
  for (uint32_t sample = 0; sample < header.samples; ++sample) {
    for (uint32_t point = 0; point < header.points; ++point) {
      if (TRIMTAB_FUNCTION(_set_operating_point)(static_cast<int>(point)) != 0) return 3;
      bool good = true;
      const uint32_t switching = timed_run(inputs, header, good);
      good = good && write_bytes(outputs, TRIMTAB_FUNCTION(_output)(), header.output_bytes);
      const uint32_t staying = timed_run(inputs, header, good);
      good = good && write_bytes(outputs, TRIMTAB_FUNCTION(_output)(), header.output_bytes);
      const uint32_t taken[2] = {switching, staying};
      if (!good || !write_bytes(report, taken, sizeof taken)) return 2;
    }
  }
  if (TRIMTAB_FUNCTION(_set_operating_point)(static_cast<int>(header.points)) != -1) return 4;
  close_file(outputs);
  close_file(report);
  return 0;
}
