#pragma once

// Convolution with columns of four pixels (convolution_columns_dsp.h), two filters at a time (multiply_4x2_dsp.h).

#include "trimtab/convolution_columns_dsp.h"

namespace trimtab::TRIMTAB_RUNTIME {

TRIMTAB_CONVOLUTION_COLUMNS(u8, 8, false, 4)
TRIMTAB_CONVOLUTION_COLUMNS(s8, 8, true, 4)
TRIMTAB_CONVOLUTION_COLUMNS(u4, 4, false, 4)
TRIMTAB_CONVOLUTION_COLUMNS(s4, 4, true, 4)
TRIMTAB_CONVOLUTION_COLUMNS(u2, 2, false, 4)
TRIMTAB_CONVOLUTION_COLUMNS(s2, 2, true, 4)

}  // namespace trimtab::TRIMTAB_RUNTIME
