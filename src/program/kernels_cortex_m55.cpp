#include "program/kernel_choices.h"

namespace trimtab {

std::optional<Kernel> choose_cortex_m55_kernel(const Step& /*step*/, Optimize /*optimize*/) { return std::nullopt; }

}  // namespace trimtab
