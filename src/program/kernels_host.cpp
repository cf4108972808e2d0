#include <algorithm>
#include <string>
#include <utility>

#include "program/kernel_choices.h"
#include "trimtab/convolution_s16_4x16_avx2.h"
#include "trimtab/depthwise_s16_1x16_avx2.h"
#include "trimtab/elementwise_s16_1x16_avx2.h"
#include "trimtab/pool_s16_1x16_avx2.h"

namespace trimtab {

#if defined(TRIMTAB_HAS_AVX2_KERNELS)
namespace {

using runtime::Convolution;

template <typename... Images>
bool fit(const Images&... images) {
  return (runtime::fits_s16(images.format) && ...);
}

bool same_layout(const runtime::Image& a, const runtime::Image& b) {
  return a.pixel_stride == b.pixel_stride && a.format.bits == b.format.bits && a.height == b.height &&
         a.width == b.width;
}

std::optional<Kernel> make_kernel(const std::string& operation, const std::string& family, bool in_place = false) {
  Kernel kernel;
  kernel.name = operation + "_avx2";
  kernel.header = family + "_avx2.h";
  kernel.in_place = in_place;
  kernel.reason = "the processor has AVX2";
  return kernel;
}

bool is_depthwise(const Convolution& convolution) {
  return convolution.groups == convolution.input.channels && convolution.groups == convolution.output.channels &&
         convolution.window.kernel_height * convolution.window.kernel_width <=
             runtime::depthwise_s16_1x16_avx2_most_taps;
}

std::optional<Kernel> choose_convolution(const ConvolutionStep& step) {
  const Convolution& convolution = step.convolution;
  if (!fit(convolution.input, convolution.output)) return std::nullopt;
  const bool depthwise = is_depthwise(convolution);
  const std::string family = depthwise ? "depthwise_s16_1x16" : "convolution_s16_4x16";
  std::optional<Kernel> kernel = make_kernel(family, family);
  kernel->layout.kind = depthwise ? WeightLayout::Kind::host_depthwise : WeightLayout::Kind::host_blocks;
  kernel->scratch_bytes = (runtime::band_bytes(convolution) + 7) / 8 * 8;
  return kernel;
}

}  // namespace

std::optional<Kernel> choose_host_kernel(const Step& step, Optimize /*optimize*/) {
  if (!__builtin_cpu_supports("avx2")) return std::nullopt;
  return std::visit(overloaded{[](const ConvolutionStep& s) { return choose_convolution(s); },
                               [](const MaxPoolStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.pool.input, s.pool.output)) return std::nullopt;
                                 return make_kernel("max_pool_s16_1x16", "pool_s16_1x16");
                               },
                               [](const AveragePoolStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.pool.input, s.pool.output)) return std::nullopt;
                                 return make_kernel("average_pool_s16_1x16", "pool_s16_1x16");
                               },
                               [](const AdditionStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.addition.a, s.addition.b, s.addition.output)) return std::nullopt;
                                 return make_kernel("addition_s16_1x16", "elementwise_s16_1x16",
                                                    same_layout(s.addition.a, s.addition.output));
                               },
                               [](const MultiplicationStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.multiplication.a, s.multiplication.b, s.multiplication.output))
                                   return std::nullopt;
                                 return make_kernel("multiplication_s16_1x16", "elementwise_s16_1x16",
                                                    same_layout(s.multiplication.a, s.multiplication.output));
                               },
                               [](const LookupStep&) -> std::optional<Kernel> { return std::nullopt; },
                               [](const RescaleStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.rescale.input, s.rescale.output)) return std::nullopt;
                                 return make_kernel("rescale_s16_1x16", "elementwise_s16_1x16",
                                                    same_layout(s.rescale.input, s.rescale.output));
                               }},
                    step.operation);
}

#else

std::optional<Kernel> choose_host_kernel(const Step& /*step*/, Optimize /*optimize*/) { return std::nullopt; }

#endif

}  // namespace trimtab
