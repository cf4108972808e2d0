#include "program/kernel_choices.h"

namespace trimtab {

std::optional<Kernel> choose_cortex_m4_kernel(const Step& /*step*/, Optimize /*optimize*/,
                                              std::int64_t /*scratch_limit*/) {
  return std::nullopt;
}

}  // namespace trimtab
