#pragma once

#include "program/kernel_cost.h"

namespace trimtab {

// What closed forms of costs consist of.

/// Instructions and cycles of something that is done many times.
struct Each {
  double instructions, cycles;
};

class CostSum {
 public:
  void add(double times, const Each& each) {
    cost_.instructions += times * each.instructions;
    cost_.cycles += times * each.cycles;
  }
  [[nodiscard]] StripCost cost() const { return cost_; }

 private:
  StripCost cost_;
};

/// How many times `by` goes into the count, a rest counting as one more.
inline double parts(std::int64_t count, std::int64_t by) { return double((count + by - 1) / by); }

/// cost_of_strip() for F(4x4,3x3); of RISC-V, instructions alone.
[[nodiscard]] StripCost cost_of_winograd_4x4_strip(const ConvolutionStep& step, Core core, std::int32_t rows);

/// The same for the other kernels of Cortex-M3 and Cortex-M0+.
[[nodiscard]] std::optional<StripCost> cost_of_m3_strip(const ConvolutionStep& step, const Kernel& kernel, Core core,
                                                        std::int32_t first, std::int32_t rows);

/// The same for RISC-V cores with 32 bits: instructions alone.
[[nodiscard]] std::optional<StripCost> cost_of_rv32_strip(const ConvolutionStep& step, const Kernel& kernel,
                                                          std::int32_t first, std::int32_t rows);

}  // namespace trimtab
