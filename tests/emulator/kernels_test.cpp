// The kernels of every microcontroller's core.

#include "emulator/kernel_suite.h"
#include "support/test_name.h"

namespace trimtab {
namespace {

INSTANTIATE_TEST_SUITE_P(Cores, Kernels, testing::Values("rp2040", "cortex-m3", "stm32f412", "cortex-m55", "esp32c3"),
                         test::by_name);

}  // namespace
}  // namespace trimtab
