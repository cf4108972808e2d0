// Emitted programs under AddressSanitizer and UndefinedBehaviorSanitizer, as processes of an emulator.

#include <gtest/gtest.h>

#include "emulator/handed_over.h"
#include "support/test_name.h"

namespace trimtab {
namespace {

/// Two kinds of layers that have kernels of their own, at their borders.
Program small_network() {
  ProgramBuilder b(8, 1);
  b.program.input = b.add_buffer(10, 9, 3, {1, 8, false});
  BufferId x = b.convolution(b.program.input, square(24, 3, 2, 10), {1, 8, false}, 8);
  x = b.convolution(x, square(24, 3, 1, 5, 24), {1, 8, false}, 8);
  x = b.convolution(x, square(32, 1, 1, 5), {1, 8, false}, 5);
  x = b.convolution(x, square(16, 3, 1, 5), {1, 8, true}, 8);
  x = b.convolution(x, square(16, 5, 1, 5, 16), {1, 8, true}, 4);
  x = b.global_average_pool(x, {1, 8, false});
  return b.finish(b.convolution(x, square(5, 1, 1, 1), {1, 16, true}, 8));
}

class Sanitized : public testing::TestWithParam<const char*> {};

TEST_P(Sanitized, SelfTestRunsWithoutComplaint) {
  const HandedOver folder(GetParam(), Optimize::speed, small_network());
  ASSERT_EQ(folder.measured.mismatches, 0);
  const std::filesystem::path device = folder.out() / "device";
  const ProcessorTraits& core = traits_of(folder.target.processor);
  const std::string compiler{core.toolchain->compiler};
  std::vector<std::string> build{compiler};
  for (const std::string& flag : recipe_of(folder.target, Optimize::speed).core_flags) build.push_back(flag);
  const std::string checked = folder.path("checked").string();
  for (const std::string option :
       {"-std=c++17", "-O2", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"})
    build.push_back(option);
  build.insert(build.end(), {"-I", device.string(), "-o", checked});
  for (const char* const source : {"net.cpp", "net_selftest.cpp", "main.c"})
    build.push_back((device / source).string());
  execute(build);
  // Libraries of the other system are where Debian's cross compilers have them. The sanitizer reads its options from
  // /proc, where it finds the emulator's environment; its search for leaks does not work in an emulator.
  const ProcessResult result =
      run_process({"env", "ASAN_OPTIONS=detect_leaks=0", std::string{machine_of(folder.target).emulator}, "-cpu",
                   std::string{core.emulated_as}, "-L", "/usr/" + compiler.substr(0, compiler.rfind('-')), checked},
                  "install the package qemu-user");
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors.substr(0, 3000);
}

INSTANTIATE_TEST_SUITE_P(Cores, Sanitized, testing::Values("cortex-a7", "cortex-a15", "cortex-a53", "cortex-a76"),
                         test::by_name);

}  // namespace
}  // namespace trimtab
