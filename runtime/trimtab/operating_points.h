#pragma once

// Operating points: the numbers of a step that change with the precision, and the choice of a point.

#include "trimtab/operators.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// The numbers of one step at one operating point; the rest of its descriptor is the same at all.
struct PointNumbers {
  const int32_t* bias;  // convolutions: per output channel
  int32_t output_minimum, output_maximum;
  uint8_t weight_bits;  // convolutions
  uint8_t shift;
};

/// The descriptor with the numbers of a point. It is made anew for every call, on the stack: so a change of point costs
/// nothing, and the descriptors stay constant.
inline Convolution at_point(const Convolution& step, const PointNumbers& numbers) {
  Convolution result = step;
  result.bias = numbers.bias;
  result.output_minimum = numbers.output_minimum;
  result.output_maximum = numbers.output_maximum;
  result.weight_bits = numbers.weight_bits;
  result.shift = numbers.shift;
  return result;
}
inline MaxPool at_point(const MaxPool& step, const PointNumbers& numbers) {
  MaxPool result = step;
  result.output_minimum = numbers.output_minimum;
  result.output_maximum = numbers.output_maximum;
  return result;
}
/// AveragePool, Addition, Multiplication and Rescale.
template <class Descriptor>
inline Descriptor at_point(const Descriptor& step, const PointNumbers& numbers) {
  Descriptor result = step;
  result.output_minimum = numbers.output_minimum;
  result.output_maximum = numbers.output_maximum;
  result.shift = numbers.shift;
  return result;
}

/// The quality and energy of an operating point at a level of abstraction, as measured when the program was made. More
/// quality is better; its unit is the caller's, such as hundredths of a percent of right answers.
template <class Quality>
struct PointSummary {
  int32_t point;
  int32_t level;  // 0: the finest, or the only one
  Quality quality;
  int32_t energy_nj;  // of one inference
};

struct PointChoice {
  int32_t point;     // -1: none is within the energy
  bool meets_floor;  // whether it is as good as was asked
};

/// The point to run, by the summaries of all points at all levels: of those that answer at `level` with at least
/// the quality `floor` for at most `energy_nj`, the one that spends the least. Where none does both, the best one
/// within the energy.
template <class Quality>
inline PointChoice choose_operating_point(const PointSummary<Quality>* summaries, int32_t count, int32_t level,
                                          int32_t energy_nj, Quality floor) {
  int32_t cheapest = -1;
  int32_t best = -1;
  for (int32_t i = 0; i < count; ++i) {
    const PointSummary<Quality>& one = summaries[i];
    if (one.level != level || one.energy_nj > energy_nj) continue;
    if (best < 0 || one.quality > summaries[best].quality) best = i;
    if (one.quality >= floor && (cheapest < 0 || one.energy_nj < summaries[cheapest].energy_nj)) {
      cheapest = i;
    }
  }
  if (cheapest >= 0) return {summaries[cheapest].point, true};
  return {best >= 0 ? summaries[best].point : -1, false};
}

}  // namespace trimtab::TRIMTAB_RUNTIME
