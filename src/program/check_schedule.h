#pragma once

#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// Runs a schedule with marks in the place of numbers: every byte of the arena says which row of which value it holds,
/// or whose scratch memory it is. Throws an internal fault where an operation reads a row that is not there any more,
/// where scratch memory or an output lies over what the kernel still needs, or where a row of the output is missing in
/// the end. Rows that are pushed are written one by one, between the operations of two pushes. O(bytes that are read
/// and written).
void check_schedule(const Program& program, const Schedule& schedule);

}  // namespace trimtab
