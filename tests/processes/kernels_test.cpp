// The kernels of every application processor's core.

#include "emulator/kernel_suite.h"

namespace trimtab {
namespace {

INSTANTIATE_TEST_SUITE_P(Cores, Kernels, testing::Values("cortex-a15", "cortex-a53", "cortex-a76"), name_of_target);

}  // namespace
}  // namespace trimtab
