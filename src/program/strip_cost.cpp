#include "program/strip_cost.h"

#include <algorithm>
#include <array>

#include "program/kernel_cost.h"

namespace trimtab {
namespace {

constexpr std::int32_t block_pixels = 4;

/// Where cost_of_strip() knows nothing: a share for every product of a block of pixels and, for weights of fewer than
/// 8 bits, for decoding them in each strip. With the vectors of the Cortex-M55 products take so little that the call of
/// a kernel and the blocks at the ends of rows count.
double rough_cost(const Step& step, const Kernel& kernel, std::int32_t rows, bool in_blocks) {
  constexpr std::array<double, 9> decoding = {0, 0, 1.45, 2.1, 1.45, 2.1, 2.1, 2.95, 0};
  const bool has_vectors = kernel.name.ends_with("_mve");
  const double per_call = has_vectors ? 1500 : 150;
  const double per_product = has_vectors ? 0.2 : 1.5;
  const double per_element = has_vectors ? 1 : 8;
  const auto [height, width, elements] = std::visit(
      [](const auto& s) {
        const runtime::Image& output = descriptor_of(s).output;
        return std::tuple(std::int32_t{output.height}, std::int32_t{output.width},
                          double(output.height) * output.width * output.channels);
      },
      step.operation);
  double per_strip = per_call;
  double work = per_element * elements;
  if (const auto* convolution = std::get_if<ConvolutionStep>(&step.operation)) {
    // a row that is no multiple of a block takes the time of the next one; vectors scatter their results to any rows
    const double blocks = (width + block_pixels - 1) / block_pixels * block_pixels;
    work = per_product * static_cast<double>(step.multiply_accumulates()) *
           (in_blocks && !has_vectors ? blocks / width : 1);
    // kernels that decode their weights anyway for every few pixels decode them no more often in strips
    const bool decodes = !has_vectors && kernel.layout.kind != WeightLayout::Kind::pairs;
    if (decodes && convolution->convolution.weight_bits <= 8)
      per_strip += decoding[convolution->convolution.weight_bits] * static_cast<double>(convolution->weights.size());
  }
  return work + per_strip * ((height + rows - 1) / std::max(rows, 1));
}

}  // namespace

double strip_cost(const Step& step, const Kernel& kernel, Core core, std::int32_t rows) {
  const std::int32_t height =
      std::visit([](const auto& s) { return std::int32_t{descriptor_of(s).output.height}; }, step.operation);
  return strip_cost(step, kernel, core, rows, 0, height);
}

double strip_cost(const Step& step, const Kernel& kernel, Core core, std::int32_t rows, std::int32_t begin,
                  std::int32_t end) {
  double cost = 0;
  for (std::int32_t first = begin; first < end; first += rows) {
    const std::int32_t count = std::min(rows, end - first);
    const std::optional<StripCost> strip = cost_of_strip(step, kernel, core, first, count);
    if (!strip.has_value()) {
      const std::int32_t height =
          std::visit([](const auto& s) { return std::int32_t{descriptor_of(s).output.height}; }, step.operation);
      return rough_cost(step, kernel, rows, true) * (end - begin) / std::max(height, 1);
    }
    cost += strip->instructions;
  }
  return cost;
}

double whole_map_cost(const Step& step, const Kernel& kernel, Core core) {
  const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
  const std::int32_t height =
      std::visit([](const auto& s) { return std::int32_t{descriptor_of(s).output.height}; }, step.operation);
  if (convolution == nullptr) return rough_cost(step, kernel, height, false);
  const std::optional<StripCost> as_rows = cost_of_strip(step, kernel, core, 0, height, true);
  if (!as_rows.has_value()) return rough_cost(step, kernel, height, false);
  if (kernel.header.starts_with("depthwise")) return as_rows->instructions;  // blocks end with a row here, too
  // as if rows were made of whole blocks
  Step even = step;
  runtime::Convolution& c = std::get<ConvolutionStep>(even.operation).convolution;
  const std::int32_t width = c.output.width;
  const std::int32_t blocks = std::max(width / block_pixels * block_pixels, block_pixels);
  if (width == 1 || width % block_pixels == 0) return strip_cost(step, kernel, core, height);
  c.output.width = static_cast<std::int16_t>(blocks);
  return strip_cost(even, kernel, core, height) * width / blocks;
}

}  // namespace trimtab
