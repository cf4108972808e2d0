#pragma once

// The results of a tile of convolution_winograd_m3.h: from the points' sums to bytes.

#include "trimtab/store_outputs.h"
#include "trimtab/winograd_tiles.h"

namespace trimtab::TRIMTAB_RUNTIME::detail {

/// Where results go: without a shift to bytes that take every value, to bytes of any range, or to any range and format.
enum class TileRange : uint8_t { whole_bytes, bytes, any };

/// From the sum of products to zero + round((sum + bias) * 2^shift * multiplier / 2^32).
class ChannelScale {
 public:
  ChannelScale(const Convolution& step, int32_t channel, int32_t zero)
      : multiplier_(step.multiplier[channel]), shift_(step.shift) {
    const int32_t bias = scaled(step.bias[channel]);
#if defined(__ARM_ARCH_6M__) || defined(__riscv)
    bias_ = bias;
    zero_ = zero;
#else
    start_ = static_cast<int64_t>(bias) * multiplier_ + static_cast<int64_t>(zero) * (INT64_C(1) << 32) +
             INT64_C(0x80000000);
#endif
  }
  int32_t operator()(int32_t sum) const {
#if defined(__ARM_ARCH_6M__) || defined(__riscv)
    return multiply_high_rounded(scaled(sum) + bias_, multiplier_) + zero_;
#else
    return static_cast<int32_t>((start_ + static_cast<int64_t>(scaled(sum)) * multiplier_) >> 32);
#endif
  }

#if !defined(__ARM_ARCH_6M__) && !defined(__riscv)
  /// What one SMLAL adds the product of sum and multiplier to.
  int64_t start() const { return start_; }
#endif

 private:
  int32_t scaled(int32_t value) const { return static_cast<int32_t>(static_cast<uint32_t>(value) << shift_); }

  int32_t multiplier_;
  int shift_;
#if defined(__ARM_ARCH_6M__) || defined(__riscv)
  int32_t bias_, zero_;
#else
  int64_t start_;
#endif
};

/// Writes what one filter has in the rows of a tile: the last row first, so that missing rows, which are said to be the
/// first, leave nothing.
template <int Rows, TileRange Range>
class RowsWriter {
 public:
  RowsWriter(const Convolution& step, int32_t channel, const Array<uint8_t*, Rows>& rows)
      : step_(step), scale_(step, channel, step.output_zero - step.output_minimum), channel_(channel), rows_(rows) {}

  /// The outputs of the pixel that lies `offset` bytes behind the beginnings of the rows.
  void write(const Array<int32_t, Rows>& outputs, int32_t offset) const {
    const int32_t least = step_.output_minimum;
    const int32_t span = Range == TileRange::whole_bytes ? 255 : step_.output_maximum - least;
    if constexpr (Range != TileRange::any) {
      offset += channel_;
#pragma GCC unroll 4
      for (int32_t i = Rows - 1; i >= 0; --i) {
        rows_[i][offset] = static_cast<uint8_t>(saturate(scale_(outputs[i]), 0, span) + least);
      }
    } else {
      for (int32_t i = Rows - 1; i >= 0; --i) {
        store_activation(rows_[i] + offset, channel_, saturate(scale_(outputs[i]), 0, span) + least,
                         step_.output.format);
      }
    }
  }

 private:
  const Convolution& step_;
  ChannelScale scale_;
  int32_t channel_;
  const Array<uint8_t*, Rows>& rows_;
};

/// ... four pixels at a time, from the sums of their points.
template <int Rows, int Kernel, TileRange Range>
class TileWriter {
 public:
  /// `sums`: of its first point. The four pixels lie `apart` bytes from each other.
  TileWriter(const Convolution& step, int32_t channel, const int32_t* sums, const Array<uint8_t*, Rows>& rows,
             int32_t apart)
      : rows_(step, channel, rows), sums_(sums), apart_(apart) {}

  /// The first pixel lies `offset` bytes behind the beginnings of the rows.
  void write(int32_t offset, int32_t count) const {
    Array<int32_t, Rows> outputs;
    for (const int32_t* sums = sums_; sums != sums_ + count; ++sums, offset += apart_) {
      outputs_of_sums<Rows, Kernel>(sums, outputs);
      rows_.write(outputs, offset);
    }
  }

 private:
  RowsWriter<Rows, Range> rows_;
  const int32_t* sums_;
  int32_t apart_;
};

#if defined(__ARM_ARCH_7M__)

/// What store_four_rows() works on. The assembly knows the order of the members.
struct FourRows {
  const int32_t* sums;  // 0: of the first point
  int32_t offset;       // 4: from the beginnings of the rows
  int64_t start;        // 8: what a product of sum and multiplier is added to
  int32_t multiplier;   // 16
  int32_t least;        // 20
  uint32_t third;       // 24: 0xaaaaaaab
  uint8_t* rows[4];     // 28
  int32_t apart;        // 44
  const int32_t* end;   // 48: of the sums
};

/// TileWriter::write() for tiles of F(4,3) and whole bytes: 59 instructions for four results. (A compiler runs out
/// of registers and takes 80.)
__attribute__((naked, noinline)) inline void store_four_rows(const FourRows* /*tile*/) {
#define TRIMTAB_STORE_ROW(numerator, bits, row)                                                                       \
  "mul " numerator ", " numerator ", r12\n\t asrs " numerator ", " numerator ", #" bits                               \
  "\n\t mov r3, r8\n\t mov r4, r9\n\t smlal r3, r4, " numerator                                                       \
  ", r10\n\t usat r4, #8, r4\n\t add r4, r11\n\t ldr " numerator ", [lr, #28 + 4 * " row "]\n\t strb r4, [" numerator \
  ", r7]\n\t"
  asm volatile(
      "push {r4-r11, lr}\n\t"
      "mov lr, r0\n\t"
      "ldm lr, {r6-r12}\n"
      "1:\n\t"
      "ldr r0, [r6, #32]\n\t ldr r1, [r6, #64]\n\t ldr r2, [r6, #96]\n\t ldr r3, [r6, #128]\n\t"
      "adds r4, r0, r1\n\t subs r0, r0, r1\n\t adds r5, r2, r3\n\t subs r2, r2, r3\n\t"  // as outputs_of_sums()
      "sub r1, r2, r0, lsl #1\n\t"
      "ldr r3, [r6, #160]\n\t add r3, r3, r3, lsl #1\n\t add r3, r2\n\t rsb r0, r0, r3, lsl #1\n\t"
      "subs r2, r5, r4\n\t"
      "ldr r3, [r6], #4\n\t add r3, r3, r3, lsl #1\n\t sub r3, r3, r4, lsl #1\n\t add r5, r5, r3, lsl #1\n\t"
      TRIMTAB_STORE_ROW("r0", "1", "3") TRIMTAB_STORE_ROW("r2", "1", "2")
      TRIMTAB_STORE_ROW("r1", "2", "1") TRIMTAB_STORE_ROW("r5", "3", "0")
      "ldr r0, [lr, #44]\n\t ldr r1, [lr, #48]\n\t add r7, r0\n\t cmp r6, r1\n\t bne 1b\n\t"
      "pop {r4-r11, pc}\n");
#undef TRIMTAB_STORE_ROW
}

template <>
class TileWriter<4, 3, TileRange::whole_bytes> {
 public:
  TileWriter(const Convolution& step, int32_t channel, const int32_t* sums, uint8_t* const (&rows)[4], int32_t apart)
      : tile_{sums,
              0,
              ChannelScale(step, channel, step.output_zero - step.output_minimum).start(),
              step.multiplier[channel],
              step.output_minimum,
              0xaaaaaaabU,
              {rows[0] + channel, rows[1] + channel, rows[2] + channel, rows[3] + channel},
              apart,
              nullptr} {}

  void write(int32_t offset, int32_t count) {
    tile_.offset = offset;
    tile_.end = tile_.sums + count;
    store_four_rows(&tile_);
  }

 private:
  FourRows tile_;
};

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME::detail
