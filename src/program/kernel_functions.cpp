#include "program/kernel_functions.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "trimtab/convolution_generic.h"
#include "trimtab/convolution_s16_4x16_avx2.h"
#include "trimtab/depthwise_s16_1x16_avx2.h"
#include "trimtab/elementwise_generic.h"
#include "trimtab/elementwise_s16_1x16_avx2.h"
#include "trimtab/pool_generic.h"
#include "trimtab/pool_s16_1x16_avx2.h"

namespace trimtab {
namespace {

struct Entry {
  std::string_view name;
  KernelFunction function;
};

#define TRIMTAB_KERNEL(name) \
  { #name, &runtime::name }

const Entry kernels[] = {
    TRIMTAB_KERNEL(convolution_generic),       TRIMTAB_KERNEL(max_pool_generic),
    TRIMTAB_KERNEL(average_pool_generic),      TRIMTAB_KERNEL(addition_generic),
    TRIMTAB_KERNEL(multiplication_generic),    TRIMTAB_KERNEL(lookup_generic),
    TRIMTAB_KERNEL(rescale_generic),
#if defined(TRIMTAB_HAS_AVX2_KERNELS)
    TRIMTAB_KERNEL(convolution_s16_4x16_avx2), TRIMTAB_KERNEL(depthwise_s16_1x16_avx2),
    TRIMTAB_KERNEL(max_pool_s16_1x16_avx2),    TRIMTAB_KERNEL(average_pool_s16_1x16_avx2),
    TRIMTAB_KERNEL(addition_s16_1x16_avx2),    TRIMTAB_KERNEL(multiplication_s16_1x16_avx2),
    TRIMTAB_KERNEL(rescale_s16_1x16_avx2),
#endif
};

#undef TRIMTAB_KERNEL

}  // namespace

KernelFunction kernel_function(const std::string& name) {
  const Entry* entry = std::ranges::find(kernels, std::string_view{name}, &Entry::name);
  if (entry == std::end(kernels)) throw failure("kernel '{}' cannot run on this machine", name);
  return entry->function;
}

}  // namespace trimtab
