#include <string>

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

std::optional<Kernel> of_avx2(const std::string& operation, const std::string& family, bool in_place = false) {
  Kernel kernel = make_kernel(operation + "_avx2", family + "_avx2", "the processor has AVX2", in_place);
  kernel.whole_maps = true;
  return kernel;
}

std::optional<Kernel> choose_convolution(const ConvolutionStep& step) {
  const Convolution& convolution = step.convolution;
  if (!fit(convolution.input, convolution.output)) return std::nullopt;
  const runtime::Window& window = convolution.window;
  const bool depthwise = is_depthwise(convolution) &&
                         window.kernel_height * window.kernel_width <= runtime::depthwise_s16_1x16_avx2_most_taps;
  const std::string family = depthwise ? "depthwise_s16_1x16" : "convolution_s16_4x16";
  std::optional<Kernel> kernel = of_avx2(family, family);
  kernel->layout.kind = depthwise ? WeightLayout::Kind::host_depthwise : WeightLayout::Kind::host_blocks;
  kernel->scratch_bytes = aligned(runtime::band_bytes(convolution));
  return kernel;
}

}  // namespace

std::optional<Kernel> choose_host_kernel(const Step& step, Optimize /*optimize*/) {
  if (!__builtin_cpu_supports("avx2")) return std::nullopt;
  return std::visit(overloaded{[](const ConvolutionStep& s) { return choose_convolution(s); },
                               [](const MaxPoolStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.pool.input, s.pool.output)) return std::nullopt;
                                 return of_avx2("max_pool_s16_1x16", "pool_s16_1x16");
                               },
                               [](const AveragePoolStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.pool.input, s.pool.output)) return std::nullopt;
                                 return of_avx2("average_pool_s16_1x16", "pool_s16_1x16");
                               },
                               [](const AdditionStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.addition.a, s.addition.b, s.addition.output)) return std::nullopt;
                                 return of_avx2("addition_s16_1x16", "elementwise_s16_1x16",
                                                same_layout(s.addition.a, s.addition.output));
                               },
                               [](const MultiplicationStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.multiplication.a, s.multiplication.b, s.multiplication.output))
                                   return std::nullopt;
                                 return of_avx2("multiplication_s16_1x16", "elementwise_s16_1x16",
                                                same_layout(s.multiplication.a, s.multiplication.output));
                               },
                               [](const LookupStep&) -> std::optional<Kernel> { return std::nullopt; },
                               [](const MovementStep&) -> std::optional<Kernel> { return std::nullopt; },
                               [](const SoftmaxStep&) -> std::optional<Kernel> { return std::nullopt; },
                               [](const RescaleStep& s) -> std::optional<Kernel> {
                                 if (!fit(s.rescale.input, s.rescale.output)) return std::nullopt;
                                 return of_avx2("rescale_s16_1x16", "elementwise_s16_1x16",
                                                same_layout(s.rescale.input, s.rescale.output));
                               }},
                    step.operation);
}

#else

std::optional<Kernel> choose_host_kernel(const Step& /*step*/, Optimize /*optimize*/) { return std::nullopt; }

#endif

}  // namespace trimtab
