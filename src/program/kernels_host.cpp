#include "program/kernel_choices.h"

namespace trimtab {

std::optional<Kernel> choose_host_kernel(const Step& /*step*/, Optimize /*optimize*/) { return std::nullopt; }

}  // namespace trimtab
