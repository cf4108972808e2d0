// The runtime's products against 64-bit arithmetic.

#include "trimtab/arithmetic.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/random.h"

namespace trimtab {
namespace {

TEST(MultiplyHigh, ByHalvesIsTheHighWordRounded) {
  const auto expect = [](std::int32_t a, std::int32_t b) {
    const std::int64_t product = std::int64_t{a} * b;
    ASSERT_EQ(runtime::multiply_high_by_halves(a, b), (product + (std::int64_t{1} << 31)) >> 32) << a << " " << b;
    ASSERT_EQ(runtime::multiply_high_rounded(a, b), (product + (std::int64_t{1} << 31)) >> 32) << a << " " << b;
  };
  constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min();
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
  const std::vector<std::int32_t> ends = {least,  least + 1,      -65537,     -65536,     -65535,    -32769,
                                          -32768, -32767,         -1,         0,          1,         32767,
                                          32768,  32769,          65535,      65536,      65537,     most - 1,
                                          most,   least + 0xffff, 0x7fff0000, 0x7fff8000, 0x40000000};
  for (const std::int32_t a : ends) {
    for (const std::int32_t b : ends) expect(a, b);
  }
  Random random(1);
  for (int i = 0; i < 200000; ++i) {
    expect(static_cast<std::int32_t>(random.integer(least, most) >> random.integer(0, 24)),
           static_cast<std::int32_t>(random.integer(least, most) >> random.integer(0, 24)));
  }
}

}  // namespace
}  // namespace trimtab
