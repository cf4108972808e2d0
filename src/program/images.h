#pragma once

#include "program/program.h"

namespace trimtab {

/// Fills in the images of a step's descriptor from the buffers it reads and writes, once it is known which of them are
/// parts of others.
void fill_images(const Program& program, Step& step);

}  // namespace trimtab
