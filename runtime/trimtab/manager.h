#pragma once

// The choice of an operating point and a clock for the next inference, for what is left of time and energy.

#include <stdint.h>

#include "trimtab/variant.h"

namespace trimtab::TRIMTAB_RUNTIME {

/// An operating point at a clock, and how good it is at a level of abstraction, as measured when the program was made.
/// More quality is better; its unit is the caller's, such as hundredths of a percent of right answers.
template <class Quality>
struct Setting {
  int32_t point;
  int32_t clock;  // an index, of the caller's clocks
  int32_t level;  // 0: the finest, or the only one
  Quality quality;
  int32_t latency_us;  // of one inference, the upper end
  int32_t energy_nj;   // of one inference; for periodic work, less what sleep takes in the same time
};

struct SettingChoice {
  int32_t point;     // -1: none is within deadline and energy
  int32_t clock;     // likewise
  bool meets_floor;  // whether it is as good as was asked
};

/// The setting to run: of those that answer at `level` with at least the quality `floor` within `deadline_us` for at
/// most `energy_nj`, the one that spends the least. Where none is so good, the best one within deadline and energy. Of
/// two that spend the same the better, and of two as good the cheaper; then the faster, then the one that stands first.
/// O(count), and no memory beside its arguments.
template <class Quality>
inline SettingChoice choose_setting(const Setting<Quality>* settings, int32_t count, int32_t level, Quality floor,
                                    int32_t deadline_us, int32_t energy_nj) {
  int32_t cheapest = -1;
  int32_t best = -1;
  for (int32_t i = 0; i < count; ++i) {
    const Setting<Quality>& one = settings[i];
    if (one.level != level || one.latency_us > deadline_us || one.energy_nj > energy_nj) continue;
    if (best < 0 || one.quality > settings[best].quality) {
      best = i;
    } else if (!(one.quality < settings[best].quality)) {
      const bool cheaper = one.energy_nj < settings[best].energy_nj;
      const bool equal = one.energy_nj == settings[best].energy_nj;
      if (cheaper || (equal && one.latency_us < settings[best].latency_us)) best = i;
    }
    if (one.quality < floor) continue;
    if (cheapest < 0 || one.energy_nj < settings[cheapest].energy_nj) {
      cheapest = i;
    } else if (one.energy_nj == settings[cheapest].energy_nj) {
      const bool better = one.quality > settings[cheapest].quality;
      const bool equal = !better && !(one.quality < settings[cheapest].quality);
      if (better || (equal && one.latency_us < settings[cheapest].latency_us)) cheapest = i;
    }
  }
  if (cheapest >= 0) return {settings[cheapest].point, settings[cheapest].clock, true};
  if (best >= 0) return {settings[best].point, settings[best].clock, false};
  return {-1, -1, false};
}

}  // namespace trimtab::TRIMTAB_RUNTIME
