#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "program/program.h"

namespace trimtab {

/// The operands of one number that a convolution computes, in the order of its weights.
struct DotProduct {
  std::vector<std::int8_t> weights;
  std::vector<std::int16_t> activations;  ///< as large as `weights`; padding included
  std::size_t layer = 0;                  ///< index into OperandTraces::layers
};

struct OperandTraces {
  std::vector<DotProduct> dot_products;
  std::vector<std::string> layers;   ///< that they come from
  std::vector<std::string> skipped;  ///< convolutions whose inputs are not unsigned 8 bits, or weights not 8 bits
};

/// Draws `count` numbers at random among all that the convolutions and linear layers of a program compute on the
/// samples (so a layer's share of the operands is its share of the multiply-accumulates), and returns their operands.
/// The inputs of every layer are what the program computes on this machine. Throws Error (bad input) where the samples
/// do not fit the program, or no layer has unsigned 8-bit inputs and 8-bit weights.
[[nodiscard]] OperandTraces trace_operands(const Program& program, const Dataset& samples, std::int64_t count,
                                           std::uint64_t seed);

}  // namespace trimtab
