#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// Samples as the device takes them, one after the other, and what it answers to each at every operating point.
struct TestVectors {
  std::span<const std::uint8_t> inputs;
  std::span<const std::uint8_t> outputs;
};

/// NAME_selftest.cpp: a few of the vectors (four, or fewer where they are large), and NAME_selftest(), which runs them
/// and counts the bytes that differ. At least one sample.
[[nodiscard]] std::string selftest_source(const Program& program, const std::string& name, InputForm input,
                                          const TestVectors& vectors);

}  // namespace trimtab
