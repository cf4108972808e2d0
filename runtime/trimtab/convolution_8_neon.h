#pragma once

// Convolution of bytes to outputs of any format, one group, any shape, for NEON: windows of some pixels are copied
// into a panel, which meets every block of filters. `step.weights` as filter_panels.h says. A strip is made in bands of
// rows whose input fits a cache.

#include "trimtab/filter_panels.h"
#if defined(__ARM_NEON)
#include "trimtab/requantize_neon.h"
#endif

namespace trimtab::TRIMTAB_RUNTIME {

/// Output rows of a band.
constexpr int32_t neon_band_rows(const Convolution& step) {
  return reads_in_place(step) ? step.output.height : signed_rows_of_band(step);
}

/// Parts of the scratch memory, in bytes from its beginning, for blocks of `windows` x `filters`.
struct NeonScratch {
  int32_t panel, constants, spare, copy, decoded, end;
};
constexpr NeonScratch neon_scratch(const Convolution& step, int32_t windows, int32_t filters, bool decodes) {
  NeonScratch at{};
  at.constants = at.panel + windows * window_runs(step).size();
  at.spare = at.constants + 8 * panel_filters(step, filters);
  at.copy = at.spare + (panel_filters(step, filters) + 15) / 16 * 16;
  at.decoded = at.copy + (reads_in_place(step) ? 0 : signed_rows_bytes(step, neon_band_rows(step)));
  at.end = at.decoded + (decodes ? decoded_panels_bytes(step, filters) : 0);
  return at;
}

#if defined(__ARM_NEON)

namespace neon {

/// Fetches windows, in 16 bytes of each of some pixels at a time. What fills up a run becomes zeros where
/// `fills_zeros`: nested weights have ones there.
template <typename Products, bool fills_zeros>
class Gather {
 public:
  using Pixels = Array<const uint8_t*, Products::windows>;

  explicit Gather(const Convolution& step) : runs_(window_runs(step)), size_(runs_.size()) {
    rows_ = step.window.kernel_height;
    runs_of_row_ = runs_.count / rows_;
    run_step_ = step.window.dilation_columns * step.input.channels;
    row_step_ = step.window.dilation_rows * signed_columns(step) * step.input.channels;
    alignas(16) uint8_t places[48];
    for (int32_t k = 0; k < 48; ++k) {
      const int32_t run = k / runs_.length;
      places[k] = static_cast<uint8_t>(run < runs_.count ? 16 * run + k % runs_.length : 255);
    }
    for (int32_t i = 0; i < 3; ++i) places_[i] = vld1q_u8(places + 16 * i);
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t run = i < runs_.count ? i : 0;
      offsets_[i] = run / runs_of_row_ * row_step_ + run % runs_of_row_ * run_step_;
    }
    alignas(16) uint8_t last[16];
    for (int32_t k = 0; k < 16; ++k) last[k] = runs_.pitch() - 16 + k < runs_.length ? 255 : 0;
    last_ = vld1q_u8(last);
  }

  /// `flips`: the highest bits.
  void operator()(const Pixels& pixels, bool flips, int8_t* panel) const {
    if (runs_.joined()) {  // never read in place, so nothing is left to flip
      runs_.count <= 3 ? join<3>(pixels, panel) : join<4>(pixels, panel);
    } else {
      flips ? copy<true>(pixels, panel) : copy<false>(pixels, panel);
    }
  }

 private:
  template <bool flips>
  void copy(const Pixels& pixels, int8_t* panel) const {
    Pixels from;  // the compiler takes what members hold for changed by every store of bytes
#pragma GCC unroll 8
    for (int32_t p = 0; p < Products::windows; ++p) from[p] = pixels[p];
    const int32_t size = size_;
    const int32_t pitch = runs_.pitch();
    const int32_t runs_of_row = runs_of_row_;
    const int32_t run_step = run_step_;
    const int32_t next_row = row_step_ - runs_of_row * run_step;
    int32_t offset = 0;
    for (int32_t rows = rows_; rows > 0; --rows, offset += next_row) {
      for (int32_t run = 0; run < runs_of_row; ++run, offset += run_step) {
        for (int32_t i = 0; i < pitch; i += 16, panel += Products::place_step) {
          Array<int8x16_t, Products::windows> bytes;
#pragma GCC unroll 8
          for (int32_t p = 0; p < Products::windows; ++p) {
            uint8x16_t sixteen = vld1q_u8(from[p] + offset + i);
            if constexpr (flips) sixteen = veorq_u8(sixteen, vdupq_n_u8(0x80));
            if (fills_zeros && i + 16 == pitch) sixteen = vandq_u8(sixteen, last_);
            bytes[p] = vreinterpretq_s8_u8(sixteen);
          }
          Products::store(panel, size, bytes);
        }
      }
    }
  }

  /// At most `most` short runs, one behind the other: they take at most `most - 1` vectors.
  template <int32_t most>
  void join(const Pixels& pixels, int8_t* panel) const {
    const int32_t size = size_;
    Array<Array<int8x16_t, Products::windows>, most - 1> bytes;
#pragma GCC unroll 8
    for (int32_t p = 0; p < Products::windows; ++p) join_runs(pixels[p], bytes, p);
#pragma GCC unroll 3
    for (int32_t i = 0; i < most - 1; ++i) {
      if (16 * i < size) Products::store(panel + Products::place_step * i, size, bytes[i]);
    }
  }
  void join_runs(const uint8_t* pixel, Array<int8x16_t, Products::windows> (&bytes)[2], int32_t p) const {
#if defined(__aarch64__)
    // in assembly, since GCC 12 loads the table elsewhere and moves it
    asm("ldr q0, [%2]\n\tldr q1, [%2, %3]\n\tldr q2, [%2, %4]\n\t"
        "tbl %0.16b, {v0.16b-v2.16b}, %5.16b\n\ttbl %1.16b, {v0.16b-v2.16b}, %6.16b"
        : "=&w"(bytes[0][p]), "=w"(bytes[1][p])
        : "r"(pixel), "r"(int64_t{offsets_[1]}), "r"(int64_t{offsets_[2]}), "w"(places_[0]), "w"(places_[1]),
          "m"(*pixel)
        : "v0", "v1", "v2");
#else
    const uint8x16x3_t rows{{vld1q_u8(pixel), vld1q_u8(pixel + offsets_[1]), vld1q_u8(pixel + offsets_[2])}};
    for (int32_t i = 0; i < 2; ++i) bytes[i][p] = vreinterpretq_s8_u8(vqtbl3q_u8(rows, places_[i]));
#endif
  }
  void join_runs(const uint8_t* pixel, Array<int8x16_t, Products::windows> (&bytes)[3], int32_t p) const {
    const uint8x16x4_t rows{
        {vld1q_u8(pixel), vld1q_u8(pixel + offsets_[1]), vld1q_u8(pixel + offsets_[2]), vld1q_u8(pixel + offsets_[3])}};
    for (int32_t i = 0; i < 3; ++i) bytes[i][p] = vreinterpretq_s8_u8(vqtbl4q_u8(rows, places_[i]));
  }

  WindowRuns runs_;
  int32_t size_;
  int32_t rows_, runs_of_row_;   // of the kernel
  int32_t run_step_, row_step_;  // bytes
  uint8x16_t places_[3];         // of joined runs
  int32_t offsets_[4];           // the same
  uint8x16_t last_;              // those of the last 16 bytes of a run that belong to it
};

/// All that the blocks of a convolution share.
template <typename Products, bool nested>
class PanelConvolution {
 public:
  PanelConvolution(const Convolution& step, uint8_t* scratch)
      : step_(step),
        size_(window_runs(step).size()),
        gather_(step),
        at_(neon_scratch(step, Products::panel_windows, Products::filters, nested || step.weight_bits < 8)),
        scratch_(scratch),
        to_(requantization(step)) {
    const int32_t padded = panel_filters(step, Products::filters);
    weights_ = reinterpret_cast<const int8_t*>(step.weights) + (nested ? 0 : 4 * padded);
    const int32_t weight_vectors = panel_vectors(step, Products::filters);
    auto* const decoded = reinterpret_cast<int8_t*>(scratch + at_.decoded);
    if (nested) {
      decode_nested(step.weights, weight_vectors, step.weight_bits, decoded);
      weights_ = decoded;
    } else if (step.weight_bits < 8) {
      decode_planes(step.weights + 4 * padded, weight_vectors, step.weight_bits, decoded);
      weights_ = decoded;
    }
    prepare_constants(padded);
  }

  void run(Strip strip, InputRows input, OutputRows output) {
    const int32_t most = neon_band_rows(step_);
    for (int32_t done = 0; done < strip.count; done += most) {
      run_band({strip.first + done, strip.count - done < most ? strip.count - done : most}, input, output);
    }
  }

 private:
  static constexpr int32_t windows = Products::windows;
  static constexpr int32_t filters = Products::filters;
  static constexpr int32_t vectors = filters / 4;

  /// The biases of the block of filters that begins with filter `n`, and behind them its multipliers.
  int32_t* constants(int32_t n) const { return reinterpret_cast<int32_t*>(scratch_ + at_.constants) + 2 * n; }
  bool doubles() const { return nested && step_.weight_bits == 8; }

  /// Biases and multipliers, the biases with what is missing where unsigned inputs are multiplied less 128.
  void prepare_constants(int32_t padded) {
    const int32_t missing = step_.input.format.is_signed ? 0 : 128;
    const int32_t real = window_runs(step_).count * window_runs(step_).length;
    for (int32_t n = 0; n < padded; n += filters) {
      Array<int32_t, filters> sums;
      if (nested) {
        Products::sum_filters(weights_ + n * size_, size_, sums);
        for (int32_t& sum : sums) {
          sum = doubles() ? 2 * sum + real : sum - (size_ - real);  // zeros that fill up decode to one
        }
      } else {
        memcpy(sums, step_.weights + 4 * n, sizeof sums);
      }
      Array<int32_t, filters> biases = {};
      Array<int32_t, filters> multipliers = {};
      const int32_t rest = step_.output.channels - n;
      const auto bytes = sizeof(int32_t) * static_cast<size_t>(rest < filters ? rest : filters);
      memcpy(biases, step_.bias + n, bytes);
      memcpy(multipliers, step_.multiplier + n, bytes);
#pragma GCC unroll 2
      for (int32_t i = 0; i < filters; i += 4) {
        vst1q_s32(constants(n) + i, vmlaq_n_s32(vld1q_s32(biases + i), vld1q_s32(sums + i), missing));
        vst1q_s32(constants(n) + filters + i, vld1q_s32(multipliers + i));
      }
    }
  }

  void run_band(Strip strip, InputRows input, OutputRows output) {
    const Windows places = windows_of(step_, strip, input, scratch_ + at_.copy);
    auto* const panel = reinterpret_cast<int8_t*>(scratch_ + at_.panel);
    const int32_t stride = step_.output.pixel_stride;
    const int32_t pixels = strip.count * step_.output.width;
    // rows that follow each other without gaps are one long row
    const bool is_one =
        places.continue_over_rows(step_) && output.is_dense() && output.pitch == step_.output.width * stride;
    const int32_t width = is_one ? pixels : step_.output.width;
    int32_t y = strip.first;
    int32_t x = 0;
    for (int32_t first = 0; first < pixels; first += windows) {
      const int32_t used = pixels - first < windows ? pixels - first : windows;
      Array<const uint8_t*, windows> from;
      Array<uint8_t*, windows> to;
      if (x + windows <= width) {
        from[0] = places.row(y) + x * places.column_step;
        to[0] = output[y] + x * stride;
#pragma GCC unroll 8
        for (int32_t i = 1; i < windows; ++i) {
          from[i] = from[i - 1] + places.column_step;
          to[i] = to[i - 1] + stride;
        }
        x += windows;
        if (x == width) {
          x = 0;
          ++y;
        }
      } else {
        for (int32_t i = 0; i < windows; ++i) {
          if (i >= used) {  // made again, for nobody
            from[i] = from[0];
            to[i] = scratch_ + at_.spare;
            continue;
          }
          from[i] = places.row(y) + x * places.column_step;
          to[i] = output[y] + x * stride;
          if (++x == width) {
            x = 0;
            ++y;
          }
        }
      }
      gather_(from, places.flips, panel);
      if (used == 1) {
        uint8_t* one[1] = {to[0]};
        multiply_filters<1>(panel, 1, one);
      } else {
        multiply_filters<windows>(panel, used, to);
      }
    }
  }

  /// The windows of a panel with all filters.
  template <int32_t count>
  void multiply_filters(const int8_t* panel, int32_t used, const Array<uint8_t*, count>& places) const {
    const int8_t* weights = weights_;
    const int32_t channels = step_.output.channels;
    const int32_t whole = step_.output.format.bits == 8 ? channels / filters * filters : 0;
    int32_t n = 0;
    if constexpr (count == windows) {
      if (whole > 0 && !doubles()) {
        Products::make_bytes(panel, size_, weights, constants(0), whole / filters, to_, places);
        n = whole;
      }
    }
    Array<int32_t, windows> window_sums = {};
    if (doubles()) Products::sum_windows(panel, size_, window_sums);
    Array<int32x4_t, count * vectors> scaled;
    for (; n < channels; n += filters) {
      multiply_block<count>(panel, n, weights, window_sums, scaled);
      if (n < whole) {
        store<count>(n, scaled, places);
      } else {
        store_some<count>(n, channels - n < filters ? channels - n : filters, used, scaled, places);
      }
    }
  }

  /// The sums of a block of filters, scaled.
  template <int32_t count>
  void multiply_block(const int8_t* panel, int32_t n, const int8_t*& weights,
                      const Array<int32_t, windows>& window_sums, Array<int32x4_t, count * vectors>& sums) const {
    const Array<int32_t, filters> none = {};
    const int32_t* const start = doubles() ? none : constants(n);
    if constexpr (count == 1) {
      Products::multiply_one(panel, size_, weights, start, sums);
    } else {
      Products::multiply(panel, size_, weights, start, sums);
    }
#pragma GCC unroll 16
    for (int32_t i = 0; i < count * vectors; ++i) {
      if (doubles()) {
        sums[i] = vaddq_s32(vshlq_n_s32(sums[i], 1), vdupq_n_s32(window_sums[i / vectors]));
        sums[i] = vaddq_s32(sums[i], vld1q_s32(constants(n) + 4 * (i % vectors)));
      }
      sums[i] = scale_twice(sums[i], vld1q_s32(constants(n) + filters + 4 * (i % vectors)), to_);
    }
  }

  /// Scaled sums of a whole block as bytes, to places[i] + channel.
  template <int32_t count>
  void store(int32_t channel, const Array<int32x4_t, count * vectors>& scaled,
             const Array<uint8_t*, count>& places) const {
    if constexpr (filters == 8) {
#pragma GCC unroll 8
      for (int32_t i = 0; i < count; ++i) {
        vst1_u8(places[i] + channel, narrow_eight(scaled[2 * i], scaled[2 * i + 1], to_));
      }
    } else if constexpr (count == 4) {
      const uint8x16_t bytes = narrow(scaled[0], scaled[1], scaled[2], scaled[3], to_);
      store_word<0>(places[0] + channel, bytes);
      store_word<1>(places[1] + channel, bytes);
      store_word<2>(places[2] + channel, bytes);
      store_word<3>(places[3] + channel, bytes);
    } else {
      store_word<0>(places[0] + channel, narrow(scaled[0], scaled[0], scaled[0], scaled[0], to_));
    }
  }

  /// Those of the first `filters_of_block` filters of a block and `used` windows, in any format.
  template <int32_t count>
  void store_some(int32_t channel, int32_t filters_of_block, int32_t used,
                  const Array<int32x4_t, count * vectors>& scaled, const Array<uint8_t*, count>& places) const {
    if (filters_of_block == filters && step_.output.format.bits == 16 && step_.output.format.is_signed &&
        step_.output_zero == 0) {
      const int16x8_t minimum = vdupq_n_s16(static_cast<int16_t>(step_.output_minimum));
      const int16x8_t maximum = vdupq_n_s16(static_cast<int16_t>(step_.output_maximum));
      for (int32_t i = 0; i < used; ++i) {
        const int16x8_t words = round_eight<1>(scaled[i * vectors], scaled[i * vectors + vectors - 1]);
        const int16x8_t clamped = vminq_s16(vmaxq_s16(words, minimum), maximum);
        memcpy(places[i] + 2 * channel, &clamped, 2 * filters);
      }
      return;
    }
    for (int32_t i = 0; i < used; ++i) {
      Array<int32_t, filters> numbers;
      for (int32_t v = 0; v < vectors; ++v) vst1q_s32(numbers + 4 * v, vrshrq_n_s32(scaled[i * vectors + v], 1));
      for (int32_t f = 0; f < filters_of_block; ++f) {
        store_activation(places[i], channel + f,
                         saturate(step_.output_zero + numbers[f], step_.output_minimum, step_.output_maximum),
                         step_.output.format);
      }
    }
  }

  const Convolution& step_;
  int32_t size_;
  Gather<Products, nested> gather_;
  NeonScratch at_;
  uint8_t* scratch_;
  Requantization to_;
  const int8_t* weights_;
};

template <typename Products, bool nested>
inline void convolution(const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) {
  PanelConvolution<Products, nested>(step, scratch).run(strip, input, output);
}

}  // namespace neon

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
