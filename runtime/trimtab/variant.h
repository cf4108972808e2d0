#pragma once

// The namespace of all kernels names the version and the setting that they were compiled for: programs of different
// versions and settings can be linked into one image, and each keeps kernels of its own.

#if __cplusplus < 201703L
#error "this file needs C++17; compile it with -std=c++17 or later"
#endif

#if defined(__OPTIMIZE_SIZE__)
#define TRIMTAB_RUNTIME runtime_v0_2_0_size
#else
#define TRIMTAB_RUNTIME runtime_v0_2_0_speed
#endif

namespace trimtab {
namespace TRIMTAB_RUNTIME {}
namespace runtime = TRIMTAB_RUNTIME;
}  // namespace trimtab
