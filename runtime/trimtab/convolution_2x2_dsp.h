#pragma once

// Convolution with columns of two pixels (convolution_columns_dsp.h), two filters at a time (multiply_2x2_dsp.h), for
// activations of 4 or 2 bits: columns are 16-bit halves whatever the activations have, so that columns of four pixels
// weigh as much again in an arena of half the size.

#include "trimtab/convolution_columns_dsp.h"

namespace trimtab::TRIMTAB_RUNTIME {

TRIMTAB_CONVOLUTION_COLUMNS(u4, 4, false, 2)
TRIMTAB_CONVOLUTION_COLUMNS(s4, 4, true, 2)
TRIMTAB_CONVOLUTION_COLUMNS(u2, 2, false, 2)
TRIMTAB_CONVOLUTION_COLUMNS(s2, 2, true, 2)

}  // namespace trimtab::TRIMTAB_RUNTIME
