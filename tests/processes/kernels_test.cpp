// The kernels of every application processor's core.

#include "emulator/kernel_suite.h"
#include "support/test_name.h"

namespace trimtab {
namespace {

INSTANTIATE_TEST_SUITE_P(Cores, Kernels, testing::Values("cortex-a15", "cortex-a53", "cortex-a76"), test::by_name);

}  // namespace
}  // namespace trimtab
