#pragma once

// Convolution of bytes to outputs of any format, one group, any shape, for NEON: windows of some pixels are copied
// into a panel, which meets every block of filters. `step.weights` as filter_panels.h says. A strip is made in bands of
// rows whose input fits a cache.

#include "trimtab/filter_panels.h"
#if defined(__ARM_NEON)
#include "trimtab/requantize_neon.h"
#endif

namespace trimtab::TRIMTAB_RUNTIME {

/// Output rows of a band: as many as keep the copy of their input within 64 KB, at least one.
constexpr int32_t neon_band_rows(const Convolution& step) {
  if (reads_in_place(step)) return step.output.height;
  int32_t rows = 1;
  while (rows < step.output.height && signed_rows_bytes(step, rows + 1) <= 64 * 1024) ++rows;
  return rows;
}

/// Parts of the scratch memory, in bytes from its beginning, for blocks of `windows` x `filters`.
struct NeonScratch {
  int32_t panel, bias, multiplier, spare, copy, decoded, end;
};
constexpr NeonScratch neon_scratch(const Convolution& step, int32_t windows, int32_t filters, bool decodes) {
  NeonScratch at{};
  at.bias = at.panel + windows * window_runs(step).size();
  at.multiplier = at.bias + 4 * panel_filters(step, filters);
  at.spare = at.multiplier + 4 * panel_filters(step, filters);
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
  explicit Gather(const Convolution& step) : runs_(window_runs(step)), step_(step) {
    alignas(16) uint8_t places[64];
    for (int32_t k = 0; k < 64; ++k) {
      const int32_t run = k / runs_.length;
      places[k] = static_cast<uint8_t>(run < runs_.count ? 16 * run + k % runs_.length : 255);
    }
    for (int32_t i = 0; i < 4; ++i) {
      places_[i] = vld1q_u8(places + 16 * i);
      offsets_[i] = run_offset(step, i);
    }
    alignas(16) uint8_t last[16];
    for (int32_t k = 0; k < 16; ++k) last[k] = runs_.pitch() - 16 + k < runs_.length ? 255 : 0;
    last_ = vld1q_u8(last);
  }

  void operator()(const Array<const uint8_t*, Products::windows>& pixels, uint8x16_t flip, int8_t* panel) const {
    if (runs_.joined()) return join(pixels, panel);
    const int32_t size = runs_.size();
    int32_t k = 0;
    for (int32_t run = 0; run < runs_.count; ++run) {
      const int32_t offset = run_offset(step_, run);
      for (int32_t i = 0; i < runs_.pitch(); i += 16, k += 16) {
        Array<int8x16_t, Products::windows> bytes;
#pragma GCC unroll 8
        for (int32_t p = 0; p < Products::windows; ++p) {
          uint8x16_t sixteen = veorq_u8(vld1q_u8(pixels[p] + offset + i), flip);
          if (fills_zeros && i + 16 == runs_.pitch()) sixteen = vandq_u8(sixteen, last_);
          bytes[p] = vreinterpretq_s8_u8(sixteen);
        }
        Products::store(panel, size, k, bytes);
      }
    }
  }

 private:
  /// Short runs, one behind the other. They are never read in place, so nothing is left to flip.
  void join(const Array<const uint8_t*, Products::windows>& pixels, int8_t* panel) const {
    const int32_t size = runs_.size();
    int8x16_t bytes[4][Products::windows];
#pragma GCC unroll 8
    for (int32_t p = 0; p < Products::windows; ++p) {
      const uint8_t* const pixel = pixels[p];
      uint8x16x4_t rows;
      rows.val[0] = vld1q_u8(pixel);
      rows.val[1] = vld1q_u8(pixel + offsets_[1]);
      rows.val[2] = runs_.count > 2 ? vld1q_u8(pixel + offsets_[2]) : rows.val[0];
      rows.val[3] = runs_.count > 3 ? vld1q_u8(pixel + offsets_[3]) : rows.val[0];
      for (int32_t i = 0; i < 3; ++i) bytes[i][p] = vreinterpretq_s8_u8(vqtbl4q_u8(rows, places_[i]));
    }
    for (int32_t k = 0; k < size; k += 16) Products::store(panel, size, k, bytes[k / 16]);
  }

  WindowRuns runs_;
  const Convolution& step_;
  uint8x16_t places_[4];  // of joined runs
  int32_t offsets_[4];    // the same
  uint8x16_t last_;       // those of the last 16 bytes of a run that belong to it
};

/// Requantizes the sums of some windows with a block of filters and stores the outputs.
template <int32_t windows, int32_t filters, bool shifts>
class Outputs {
 public:
  static constexpr int32_t vectors = filters / 4;
  using Sums = Array<int32x4_t, windows * vectors>;
  using Places = Array<uint8_t* const, windows>;

  Outputs(const Convolution& step, const int32_t* multiplier)
      : step_(step), multiplier_(multiplier), to_(requantization(step)) {}

  /// Of all filters of a block, as bytes, to places[i] + channel.
  void store(int32_t channel, const Sums& sums, const Places& places) const {
    Scaled scaled;
    scale_all(channel, sums, scaled);
#pragma GCC unroll 4
    for (int32_t i = 0; i < windows * vectors; i += 4) {
      const int8x16_t bytes = narrow(scaled[i], scaled[i + 1], scaled[i + 2], scaled[i + 3], to_);
      if constexpr (filters == 8) {
        store_pair<0>(places[i / 2] + channel, bytes);
        if (i / 2 + 1 < windows) store_pair<1>(places[i / 2 + 1] + channel, bytes);
      } else {
        store_word<0>(places[i] + channel, bytes);
        if constexpr (windows > 1) {
          store_word<1>(places[i + 1] + channel, bytes);
          store_word<2>(places[i + 2] + channel, bytes);
          store_word<3>(places[i + 3] + channel, bytes);
        }
      }
    }
  }

  /// The same of the first `count` filters of a block and `used` windows, in any format.
  void store_some(int32_t channel, int32_t count, int32_t used, const Sums& sums, const Places& places) const {
    Scaled scaled;
    scale_all(channel, sums, scaled);
    const int32_t less = step_.output.format.is_signed ? 0 : 128;
    for (int32_t i = 0; i < used; ++i) {
      Array<int32_t, filters> numbers;
      for (int32_t v = 0; v < vectors; ++v) vst1q_s32(numbers + 4 * v, scaled[i * vectors + v]);
      for (int32_t f = 0; f < count; ++f) {
        store_activation(places[i], channel + f,
                         saturate(numbers[f] + less, step_.output_minimum, step_.output_maximum), step_.output.format);
      }
    }
  }

 private:
  using Scaled = Array<int32x4_t, (windows * vectors + 3) / 4 * 4>;

  void scale_all(int32_t channel, const Sums& sums, Scaled& scaled) const {
    Array<int32x4_t, vectors> multiplier;
#pragma GCC unroll 2
    for (int32_t v = 0; v < vectors; ++v) multiplier[v] = vld1q_s32(multiplier_ + channel + 4 * v);
#pragma GCC unroll 16
    for (int32_t i = 0; i < windows * vectors; ++i) scaled[i] = scale<shifts>(sums[i], multiplier[i % vectors], to_);
#pragma GCC unroll 4
    for (int32_t i = windows * vectors; i < (windows * vectors + 3) / 4 * 4; ++i) scaled[i] = scaled[0];
  }

  const Convolution& step_;
  const int32_t* multiplier_;
  Requantization to_;
};

/// All that the blocks of a convolution share.
template <typename Products, bool nested, bool shifts>
class PanelConvolution {
 public:
  PanelConvolution(const Convolution& step, uint8_t* scratch)
      : step_(step),
        size_(window_runs(step).size()),
        gather_(step),
        at_(neon_scratch(step, Products::panel_windows, Products::filters, nested || step.weight_bits < 8)),
        scratch_(scratch) {
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

  int32_t* bias() const { return reinterpret_cast<int32_t*>(scratch_ + at_.bias); }
  int32_t* multiplier() const { return reinterpret_cast<int32_t*>(scratch_ + at_.multiplier); }
  bool doubles() const { return nested && step_.weight_bits == 8; }

  /// Multipliers and biases, these with what is missing where unsigned inputs are multiplied less 128.
  void prepare_constants(int32_t padded) {
    const int32_t missing = step_.input.format.is_signed ? 0 : 128;
    const int32_t real = window_runs(step_).count * window_runs(step_).length;
    for (int32_t n = 0; n < padded; n += filters) {
      Array<int32_t, filters> sums;
      if (nested) {
        Products::sum_filters(weights_ + n * size_, size_, sums);
      } else {
        memcpy(sums, step_.weights + 4 * n, sizeof sums);
      }
      for (int32_t f = 0; f < filters; ++f) {
        const bool is_real = n + f < step_.output.channels;
        int32_t sum = sums[f];
        if (nested) sum = doubles() ? 2 * sum + real : sum - (size_ - real);  // zeros that fill up decode to one
        bias()[n + f] = is_real ? static_cast<int32_t>(static_cast<uint32_t>(step_.bias[n + f]) +
                                                       static_cast<uint32_t>(missing) * static_cast<uint32_t>(sum))
                                : 0;
        multiplier()[n + f] = is_real ? step_.multiplier[n + f] : 0;
      }
    }
  }

  void run_band(Strip strip, InputRows input, OutputRows output) {
    const Windows places = windows_of(step_, strip, input, scratch_ + at_.copy);
    auto* const panel = reinterpret_cast<int8_t*>(scratch_ + at_.panel);
    const int32_t pixels = strip.count * step_.output.width;
    int32_t y = strip.first;
    int32_t x = 0;
    for (int32_t first = 0; first < pixels; first += windows) {
      const int32_t used = pixels - first < windows ? pixels - first : windows;
      Array<const uint8_t*, windows> from;
      Array<uint8_t*, windows> to;
      for (int32_t i = 0; i < windows; ++i) {
        if (i >= used) {  // made again, for nobody
          from[i] = from[0];
          to[i] = scratch_ + at_.spare;
          continue;
        }
        from[i] = places.row(y) + x * places.column_step;
        to[i] = output[y] + x * step_.output.pixel_stride;
        if (++x == step_.output.width) {
          x = 0;
          ++y;
        }
      }
      gather_(from, places.flip, panel);
      if (used == 1) {
        uint8_t* const one[1] = {to[0]};
        multiply_filters<1>(panel, 1, one);
      } else {
        multiply_filters<windows>(panel, used, to);
      }
    }
  }

  /// The windows of a panel with all filters.
  template <int32_t count>
  void multiply_filters(const int8_t* panel, int32_t used, const Array<uint8_t* const, count>& places) const {
    const Outputs<count, filters, shifts> outputs(step_, multiplier());
    Array<int32_t, windows> window_sums = {};
    if (doubles()) Products::sum_windows(panel, size_, window_sums);
    const int8_t* weights = weights_;
    const int32_t channels = step_.output.channels;
    const int32_t whole = step_.output.format.bits == 8 ? channels / filters * filters : 0;
    Array<int32x4_t, count * vectors> sums;
    int32_t n = 0;
    for (; n < whole; n += filters) {
      multiply_block<count>(panel, n, weights, window_sums, sums);
      outputs.store(n, sums, places);
    }
    for (; n < channels; n += filters) {
      multiply_block<count>(panel, n, weights, window_sums, sums);
      outputs.store_some(n, channels - n < filters ? channels - n : filters, used, sums, places);
    }
  }

  template <int32_t count>
  void multiply_block(const int8_t* panel, int32_t n, const int8_t*& weights,
                      const Array<int32_t, windows>& window_sums, Array<int32x4_t, count * vectors>& sums) const {
    if constexpr (count == 1) {
      Products::multiply_one(panel, size_, weights, sums);
    } else {
      Products::multiply(panel, size_, weights, sums);
    }
#pragma GCC unroll 16
    for (int32_t i = 0; i < count * vectors; ++i) {
      if (doubles()) sums[i] = vaddq_s32(vshlq_n_s32(sums[i], 1), vdupq_n_s32(window_sums[i / vectors]));
      sums[i] = vaddq_s32(sums[i], vld1q_s32(bias() + n + 4 * (i % vectors)));
    }
  }

  const Convolution& step_;
  int32_t size_;
  Gather<Products, nested> gather_;
  NeonScratch at_;
  uint8_t* scratch_;
  const int8_t* weights_;
};

template <typename Products, bool nested>
inline void convolution(const Convolution& step, Strip strip, InputRows input, OutputRows output, uint8_t* scratch) {
  if (step.shift != 0) {
    PanelConvolution<Products, nested, true>(step, scratch).run(strip, input, output);
  } else {
    PanelConvolution<Products, nested, false>(step, scratch).run(strip, input, output);
  }
}

}  // namespace neon

#endif

}  // namespace trimtab::TRIMTAB_RUNTIME
