#include "program/kernel_functions.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "trimtab/addition_8_m3.h"
#include "trimtab/addition_dsp.h"
#include "trimtab/convolution_2x2_dsp.h"
#include "trimtab/convolution_4x2_dsp.h"
#include "trimtab/convolution_generic.h"
#include "trimtab/convolution_nested.h"
#include "trimtab/convolution_nested_4x2_dsp.h"
#include "trimtab/convolution_nested_4x2_m3.h"
#include "trimtab/convolution_packed_rv32.h"
#include "trimtab/convolution_s16_4x16_avx2.h"
#include "trimtab/convolution_wide.h"
#include "trimtab/convolution_winograd_4x4_dsp.h"
#include "trimtab/convolution_winograd_4x4_m3.h"
#include "trimtab/depthwise_1x4_dsp.h"
#include "trimtab/depthwise_3x3_rows_m3.h"
#include "trimtab/depthwise_8_plane_m3.h"
#include "trimtab/depthwise_s16_1x16_avx2.h"
#include "trimtab/depthwise_words_dsp.h"
#include "trimtab/elementwise_generic.h"
#include "trimtab/elementwise_s16_1x16_avx2.h"
#include "trimtab/linear_8_1x2_m3.h"
#include "trimtab/movement.h"
#include "trimtab/pool_8_m3.h"
#include "trimtab/pool_dsp.h"
#include "trimtab/pool_generic.h"
#include "trimtab/pool_s16_1x16_avx2.h"
#include "trimtab/softmax.h"

namespace trimtab {
namespace {

struct Entry {
  std::string_view name;
  KernelFunction function;
};

#define TRIMTAB_KERNEL(name) \
  { #name, &runtime::name }

/// Here kernels with a loop for every bit-width have all of them.
#define TRIMTAB_KERNEL_OF_WIDTHS(name) \
  { #name, &runtime::name < runtime::all_bit_widths> }

#define TRIMTAB_CONVOLUTIONS_DSP(format, block)                                                                     \
  TRIMTAB_KERNEL(convolution_##format##_w2_##block##_dsp), TRIMTAB_KERNEL(convolution_##format##_w3_##block##_dsp), \
      TRIMTAB_KERNEL(convolution_##format##_w4_##block##_dsp),                                                      \
      TRIMTAB_KERNEL(convolution_##format##_w5_##block##_dsp),                                                      \
      TRIMTAB_KERNEL(convolution_##format##_w6_##block##_dsp),                                                      \
      TRIMTAB_KERNEL(convolution_##format##_w7_##block##_dsp), TRIMTAB_KERNEL(convolution_##format##_w8_##block##_dsp)

#define TRIMTAB_DEPTHWISE_1X4_DSP(format)                                                                 \
  TRIMTAB_KERNEL(depthwise_3x3s1_##format##_1x4_dsp), TRIMTAB_KERNEL(depthwise_3x3s2_##format##_1x4_dsp), \
      TRIMTAB_KERNEL(depthwise_##format##_1x4_dsp)

#define TRIMTAB_DEPTHWISE_WORDS_DSP(shape)                                                                \
  TRIMTAB_KERNEL(depthwise_##shape##_w2_words_dsp), TRIMTAB_KERNEL(depthwise_##shape##_w3_words_dsp),     \
      TRIMTAB_KERNEL(depthwise_##shape##_w4_words_dsp), TRIMTAB_KERNEL(depthwise_##shape##_w5_words_dsp), \
      TRIMTAB_KERNEL(depthwise_##shape##_w6_words_dsp), TRIMTAB_KERNEL(depthwise_##shape##_w7_words_dsp), \
      TRIMTAB_KERNEL(depthwise_##shape##_w8_words_dsp)

#define TRIMTAB_KERNELS_RV32(bits)                                                                            \
  TRIMTAB_KERNEL(convolution_w##bits##_packed_rv32), TRIMTAB_KERNEL(convolution_w##bits##_packed2_rv32),      \
      TRIMTAB_KERNEL(convolution_w##bits##_packed3_rv32), TRIMTAB_KERNEL(convolution_w##bits##_packed4_rv32), \
      TRIMTAB_KERNEL(convolution_w##bits##_packed6_rv32), TRIMTAB_KERNEL(convolution_w##bits##_packed8_rv32)
#define TRIMTAB_KERNELS_M3(bits) TRIMTAB_KERNEL(convolution_w##bits##_4x2_m3), TRIMTAB_KERNEL(linear_8_w##bits##_1x2_m3)

#define TRIMTAB_WINOGRAD_M3(format, tile)                                                                           \
  TRIMTAB_KERNEL(convolution_##format##_w2_##tile##_m3), TRIMTAB_KERNEL(convolution_##format##_w3_##tile##_m3),     \
      TRIMTAB_KERNEL(convolution_##format##_w4_##tile##_m3), TRIMTAB_KERNEL(convolution_##format##_w5_##tile##_m3), \
      TRIMTAB_KERNEL(convolution_##format##_w6_##tile##_m3), TRIMTAB_KERNEL(convolution_##format##_w7_##tile##_m3), \
      TRIMTAB_KERNEL(convolution_##format##_w8_##tile##_m3), TRIMTAB_KERNEL(convolution_##format##_nested_##tile##_m3)

const Entry kernels[] = {
    // those of cores without DSP, which run everywhere
    TRIMTAB_KERNELS_RV32(2),
    TRIMTAB_KERNELS_RV32(3),
    TRIMTAB_KERNELS_RV32(4),
    TRIMTAB_KERNELS_RV32(5),
    TRIMTAB_KERNELS_RV32(6),
    TRIMTAB_KERNELS_RV32(7),
    TRIMTAB_KERNELS_RV32(8),
    TRIMTAB_KERNELS_M3(2),
    TRIMTAB_KERNELS_M3(3),
    TRIMTAB_KERNELS_M3(4),
    TRIMTAB_KERNELS_M3(5),
    TRIMTAB_KERNELS_M3(6),
    TRIMTAB_KERNELS_M3(7),
    TRIMTAB_KERNELS_M3(8),
    TRIMTAB_KERNEL_OF_WIDTHS(convolution_nested_4x2_m3),
    TRIMTAB_KERNEL_OF_WIDTHS(convolution_u8_nested_4x2_dsp),
    TRIMTAB_KERNEL_OF_WIDTHS(convolution_s8_nested_4x2_dsp),
    TRIMTAB_KERNEL(depthwise_u8_nested_1x4_dsp),
    TRIMTAB_KERNEL(depthwise_s8_nested_1x4_dsp),
    TRIMTAB_WINOGRAD_M3(u8, winograd2),
    TRIMTAB_WINOGRAD_M3(u8, winograd4),
    TRIMTAB_WINOGRAD_M3(u8, winograd4x4),
    TRIMTAB_WINOGRAD_M3(u8, winograd4_5x5),
    TRIMTAB_WINOGRAD_M3(s8, winograd2),
    TRIMTAB_WINOGRAD_M3(s8, winograd4),
    TRIMTAB_WINOGRAD_M3(s8, winograd4x4),
    TRIMTAB_WINOGRAD_M3(s8, winograd4_5x5),
    TRIMTAB_KERNEL(depthwise_3x3s1_u8_u8_rows_m3),
    TRIMTAB_KERNEL(depthwise_3x3s1_u8_any_rows_m3),
    TRIMTAB_KERNEL(depthwise_3x3s1_s8_u8_rows_m3),
    TRIMTAB_KERNEL(depthwise_3x3s1_s8_any_rows_m3),
    TRIMTAB_KERNEL(depthwise_3x3s2_u8_u8_rows_m3),
    TRIMTAB_KERNEL(depthwise_3x3s2_u8_any_rows_m3),
    TRIMTAB_KERNEL(depthwise_3x3s2_s8_u8_rows_m3),
    TRIMTAB_KERNEL(depthwise_3x3s2_s8_any_rows_m3),
    TRIMTAB_KERNEL(depthwise_u8_nested_plane_m3),
    TRIMTAB_KERNEL(depthwise_s8_nested_plane_m3),
    TRIMTAB_KERNEL(depthwise_u8_plane_m3),
    TRIMTAB_KERNEL(depthwise_s8_plane_m3),
    TRIMTAB_KERNEL(max_pool_8_m3),
    TRIMTAB_KERNEL(average_pool_u8_m3),
    TRIMTAB_KERNEL(average_pool_s8_m3),
    TRIMTAB_KERNEL(addition_u8_u8_points_m3),
    TRIMTAB_KERNEL(addition_u8_s8_points_m3),
    TRIMTAB_KERNEL(addition_s8_u8_points_m3),
    TRIMTAB_KERNEL(addition_s8_s8_points_m3),
    TRIMTAB_KERNEL(addition_u8_u8_m3),
    TRIMTAB_KERNEL(addition_u8_s8_m3),
    TRIMTAB_KERNEL(addition_s8_u8_m3),
    TRIMTAB_KERNEL(addition_s8_s8_m3),
    // the DSP extension's, which run everywhere
    TRIMTAB_CONVOLUTIONS_DSP(u8, 4x2),
    TRIMTAB_CONVOLUTIONS_DSP(s8, 4x2),
    TRIMTAB_CONVOLUTIONS_DSP(u4, 4x2),
    TRIMTAB_CONVOLUTIONS_DSP(s4, 4x2),
    TRIMTAB_CONVOLUTIONS_DSP(u2, 4x2),
    TRIMTAB_CONVOLUTIONS_DSP(s2, 4x2),
    TRIMTAB_CONVOLUTIONS_DSP(u4, 2x2),
    TRIMTAB_CONVOLUTIONS_DSP(s4, 2x2),
    TRIMTAB_CONVOLUTIONS_DSP(u2, 2x2),
    TRIMTAB_CONVOLUTIONS_DSP(s2, 2x2),
    TRIMTAB_CONVOLUTIONS_DSP(u8, winograd2),
    TRIMTAB_CONVOLUTIONS_DSP(u8, winograd4),
    TRIMTAB_CONVOLUTIONS_DSP(u8, winograd4x4),
    TRIMTAB_CONVOLUTIONS_DSP(u8, winograd4_5x5),
    TRIMTAB_CONVOLUTIONS_DSP(s8, winograd2),
    TRIMTAB_CONVOLUTIONS_DSP(s8, winograd4),
    TRIMTAB_CONVOLUTIONS_DSP(s8, winograd4x4),
    TRIMTAB_CONVOLUTIONS_DSP(s8, winograd4_5x5),
    TRIMTAB_KERNEL(convolution_u8_nested_winograd2_dsp),
    TRIMTAB_KERNEL(convolution_u8_nested_winograd4_dsp),
    TRIMTAB_KERNEL(convolution_u8_nested_winograd4x4_dsp),
    TRIMTAB_KERNEL(convolution_u8_nested_winograd4_5x5_dsp),
    TRIMTAB_KERNEL(convolution_s8_nested_winograd2_dsp),
    TRIMTAB_KERNEL(convolution_s8_nested_winograd4_dsp),
    TRIMTAB_KERNEL(convolution_s8_nested_winograd4x4_dsp),
    TRIMTAB_KERNEL(convolution_s8_nested_winograd4_5x5_dsp),
    TRIMTAB_KERNEL(max_pool_u8_dsp),
    TRIMTAB_KERNEL(max_pool_s8_dsp),
    TRIMTAB_KERNEL(max_pool_u4_dsp),
    TRIMTAB_KERNEL(max_pool_s4_dsp),
    TRIMTAB_KERNEL(average_pool_u8_dsp),
    TRIMTAB_KERNEL(average_pool_s8_dsp),
    TRIMTAB_KERNEL(average_pool_u4_dsp),
    TRIMTAB_KERNEL(average_pool_s4_dsp),
    TRIMTAB_KERNEL(addition_8_dsp),
    TRIMTAB_KERNEL(addition_8_points_dsp),
    TRIMTAB_KERNEL(addition_4_dsp),
    TRIMTAB_DEPTHWISE_1X4_DSP(u8),
    TRIMTAB_DEPTHWISE_1X4_DSP(s8),
    TRIMTAB_DEPTHWISE_1X4_DSP(u4),
    TRIMTAB_DEPTHWISE_1X4_DSP(s4),
    TRIMTAB_DEPTHWISE_1X4_DSP(u2),
    TRIMTAB_DEPTHWISE_1X4_DSP(s2),
    TRIMTAB_DEPTHWISE_WORDS_DSP(3x3s1_u8),
    TRIMTAB_DEPTHWISE_WORDS_DSP(3x3s2_u8),
    TRIMTAB_DEPTHWISE_WORDS_DSP(3x3s1_s8),
    TRIMTAB_DEPTHWISE_WORDS_DSP(3x3s2_s8),

    TRIMTAB_KERNEL(convolution_generic),
    TRIMTAB_KERNEL(convolution_nested),
    TRIMTAB_KERNEL(convolution_wide),
    TRIMTAB_KERNEL(max_pool_generic),
    TRIMTAB_KERNEL(average_pool_generic),
    TRIMTAB_KERNEL(addition_generic),
    TRIMTAB_KERNEL(multiplication_generic),
    TRIMTAB_KERNEL(lookup_generic),
    TRIMTAB_KERNEL(rescale_generic),
    TRIMTAB_KERNEL(movement_generic),
    TRIMTAB_KERNEL(softmax_generic),
#if defined(TRIMTAB_HAS_AVX2_KERNELS)
    TRIMTAB_KERNEL(convolution_s16_4x16_avx2),
    TRIMTAB_KERNEL(depthwise_s16_1x16_avx2),
    TRIMTAB_KERNEL(max_pool_s16_1x16_avx2),
    TRIMTAB_KERNEL(average_pool_s16_1x16_avx2),
    TRIMTAB_KERNEL(addition_s16_1x16_avx2),
    TRIMTAB_KERNEL(multiplication_s16_1x16_avx2),
    TRIMTAB_KERNEL(rescale_s16_1x16_avx2),
#endif
};

#undef TRIMTAB_KERNELS_M3
#undef TRIMTAB_KERNELS_RV32
#undef TRIMTAB_CONVOLUTIONS_DSP
#undef TRIMTAB_DEPTHWISE_1X4_DSP
#undef TRIMTAB_DEPTHWISE_WORDS_DSP
#undef TRIMTAB_KERNEL_OF_WIDTHS
#undef TRIMTAB_KERNEL

}  // namespace

KernelFunction kernel_function(const std::string& name) {
  const std::string_view base = std::string_view{name}.substr(0, name.find('<'));
  const Entry* entry = std::ranges::find(kernels, base, &Entry::name);
  if (entry == std::end(kernels)) throw failure("kernel '{}' cannot run on this machine", name);
  return entry->function;
}

}  // namespace trimtab
