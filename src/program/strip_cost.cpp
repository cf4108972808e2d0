#include "program/strip_cost.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace trimtab {
namespace {

/// To decode a weight of so many bits, in instructions (Cortex-M4; weights of 8 bits are read in place).
constexpr std::array<double, 9> decoding = {0, 0, 1.09, 1.84, 1.09, 1.84, 2.2, 2.56, 0};

}  // namespace

double strip_cost(const Step& step, const Kernel& kernel, std::int32_t rows) {
  constexpr double per_call = 100;
  constexpr double per_product = 0.9;
  const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
  const std::int32_t height =
      std::visit([](const auto& s) { return std::int32_t{descriptor_of(s).output.height}; }, step.operation);
  const double strips = (height + rows - 1) / std::max(rows, 1);
  double per_strip = per_call;
  if (convolution != nullptr && kernel.layout.kind != WeightLayout::Kind::chunk_pairs &&
      kernel.layout.kind != WeightLayout::Kind::pairs) {
    per_strip += decoding[std::min<std::size_t>(convolution->convolution.weight_bits, 8)] *
                 static_cast<double>(convolution->weights.size());
  }
  return per_product * static_cast<double>(step.multiply_accumulates()) + strips * per_strip;
}

double strip_cost(const Step& step, const RowKernel& kernel, std::int32_t rows) {
  const auto& convolution = std::get<ConvolutionStep>(step.operation);
  const double height = convolution.convolution.output.height;
  const double strips = std::ceil(height / rows);
  // tiles of fewer rows take the time of whole ones
  const double made =
      std::floor(height / rows) * static_cast<double>(kernel.tiles(rows) * kernel.tile_rows) +
      static_cast<double>(kernel.tiles(convolution.convolution.output.height % rows) * kernel.tile_rows);
  const double per_product = kernel.tile_rows == 2 ? 0.56 : 0.42;
  const double per_weight = (kernel.tile_rows == 2 ? 2.0 : 3.0) + decoding[convolution.convolution.weight_bits];
  return per_product * static_cast<double>(step.multiply_accumulates()) * made / height +
         strips * (100 + per_weight * static_cast<double>(convolution.weights.size()));
}

}  // namespace trimtab
