#pragma once

#include "program/program.h"

namespace trimtab {

/// Checks everything that kernels rely on, so that a program from outside can be run: ids and sizes in range, constants
/// of the right number and on their grids, descriptors that fit their buffers, every value written once and before it
/// is read, no accumulator that could overflow, no index beyond 31 bits. Throws Error (bad input), naming `source` and
/// the step or value. O(constants + values).
void check_program(const Program& program, const std::string& source);

/// The part of it that concerns values and ids alone, so that image_of can be asked for every step.
void check_values(const Program& program, const std::string& source);

}  // namespace trimtab
