#pragma once

#include "program/schedule.h"

namespace trimtab {

/// The schedule in which every step makes its whole output at once, in the order of the program: kernels, and the arena
/// from the liveness of the buffers. Outputs lie over inputs where a kernel allows it. Rows that are pushed gather in
/// the place of the whole input.
[[nodiscard]] Schedule schedule_whole_maps(const Program& program, Core core, Optimize optimize,
                                           InputForm input = InputForm::whole);

}  // namespace trimtab
