#pragma once

// Many independent steps in one firmware: each reads random bytes and writes a place of its own, and what it writes is
// compared with the generic kernels run here.

#include <functional>
#include <string>
#include <vector>

#include "program/kernels.h"
#include "support/program_builder.h"
#include "target/target.h"

namespace trimtab {

struct CasesResult {
  std::vector<std::string> wrong;    ///< a line for each step whose bytes differ
  std::vector<std::string> kernels;  ///< by step: the kernel that ran it
  std::int64_t instructions = 0;     ///< of all steps together
  std::int64_t text_bytes = 0;       ///< of the image
};

/// Lays out the steps of the program (whose inputs no step makes), runs them on the target's board and compares.
/// Outputs lie over their inputs wherever the kernel allows that and `overlap` is set. `scratch_limit`: see
/// choose_kernel.
[[nodiscard]] CasesResult run_cases(const Program& program, const Target& target, Optimize optimize, bool overlap,
                                    std::int64_t scratch_limit = 0);

/// A convolution of random shape: kernels 1x1 to 7x7, strides, dilation, pads, groups, depthwise, odd channels, all
/// formats. `formats` restricts the bits of activations.
void add_random_convolution(ProgramBuilder& builder, const std::vector<int>& activation_bits, bool depthwise);

/// One line that tells a step.
[[nodiscard]] std::string describe(const Step& step);

}  // namespace trimtab
