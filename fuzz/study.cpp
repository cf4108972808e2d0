// Whatever the bytes of study.sqlite are: refused with an Error, or a study that can be summed up.

#include "study/study.h"
#include "base/error.h"
#include "input_file.h"
#include "study/summary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trimtab;
  try {
    static_cast<void>(summarize(read_study(fuzzed_file({data, size}, "study.sqlite").parent_path())));
  } catch (const Error&) {
  }
  return 0;
}
