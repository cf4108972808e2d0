#pragma once

// Operating points: what a step takes over when the precision changes, and which point to choose.

#include "trimtab/operators.h"

namespace trimtab::runtime {

/// What one step has at one operating point; the rest of its descriptor stays as it is.
struct StepSetting {
  const int32_t* bias;  // convolutions: per output channel
  int32_t output_minimum, output_maximum;
  uint8_t weight_bits;  // convolutions
  uint8_t shift;
};

inline void apply_setting(Convolution& step, const StepSetting& setting) {
  step.bias = setting.bias;
  step.output_minimum = setting.output_minimum;
  step.output_maximum = setting.output_maximum;
  step.weight_bits = setting.weight_bits;
  step.shift = setting.shift;
}
inline void apply_setting(AveragePool& step, const StepSetting& setting) {
  step.output_minimum = setting.output_minimum;
  step.output_maximum = setting.output_maximum;
  step.shift = setting.shift;
}
inline void apply_setting(Addition& step, const StepSetting& setting) {
  step.output_minimum = setting.output_minimum;
  step.output_maximum = setting.output_maximum;
  step.shift = setting.shift;
}

/// What a point is good for: an answer at a level of abstraction, as measured when it was made.
struct PointSummary {
  int32_t point;
  int32_t level;      // 0: the finest
  int32_t accuracy;   // hundredths of a percent of the answers are right at this level
  int32_t energy_nj;  // of one inference
};

/// The point to run, by the summaries of all points at all levels: of those that answer at `level` with at least
/// `accuracy_floor` (hundredths of a percent) for at most `energy_nj`, the one that spends the least. Where none does
/// both, the most accurate one within the energy; where none is within the energy, -1.
inline int32_t choose_operating_point(const PointSummary* summaries, int32_t count, int32_t level, int32_t energy_nj,
                                      int32_t accuracy_floor) {
  int32_t cheapest = -1;
  int32_t best = -1;
  for (int32_t i = 0; i < count; ++i) {
    const PointSummary& one = summaries[i];
    if (one.level != level || one.energy_nj > energy_nj) continue;
    if (best < 0 || one.accuracy > summaries[best].accuracy) best = i;
    if (one.accuracy >= accuracy_floor && (cheapest < 0 || one.energy_nj < summaries[cheapest].energy_nj)) {
      cheapest = i;
    }
  }
  if (best < 0) return -1;
  return summaries[cheapest >= 0 ? cheapest : best].point;
}

}  // namespace trimtab::runtime
