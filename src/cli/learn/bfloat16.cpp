#include "cli/learn/bfloat16.h"

#include <fmt/format.h>

#include <cstdio>

#include "learn/train.h"

namespace trimtab::cli {

void warn_of_slow_bfloat16(bool bfloat16) {
  if (!bfloat16 || multiplies_bfloat16()) return;
  fmt::print(stderr, "warning: this processor has no bfloat16 instructions; training is faster without --bfloat16\n");
}

}  // namespace trimtab::cli
