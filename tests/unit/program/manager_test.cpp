#include "trimtab/manager.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>
#include <vector>

// The manager against the exhaustive choice: its definition, applied to the list of all settings sorted by what it
// prefers.
namespace trimtab {
namespace {

using Setting = runtime::Setting<std::int32_t>;

struct Chosen {
  std::int32_t point = -1;
  std::int32_t clock = -1;
  bool meets_floor = false;
  bool operator==(const Chosen&) const = default;
};

Chosen exhaustive(std::vector<Setting> settings, int level, int floor, int deadline_us, int energy_nj) {
  std::erase_if(settings, [&](const Setting& one) {
    return one.level != level || one.latency_us > deadline_us || one.energy_nj > energy_nj;
  });
  std::vector<Setting> good = settings;
  std::erase_if(good, [&](const Setting& one) { return one.quality < floor; });
  const auto first = [](std::vector<Setting>& list, const auto& before) {
    std::stable_sort(list.begin(), list.end(), before);
    return list.front();
  };
  if (!good.empty()) {
    const Setting one = first(good, [](const Setting& a, const Setting& b) {
      return std::tuple(a.energy_nj, -a.quality, a.latency_us) < std::tuple(b.energy_nj, -b.quality, b.latency_us);
    });
    return {one.point, one.clock, true};
  }
  if (settings.empty()) return {};
  const Setting one = first(settings, [](const Setting& a, const Setting& b) {
    return std::tuple(-a.quality, a.energy_nj, a.latency_us) < std::tuple(-b.quality, b.energy_nj, b.latency_us);
  });
  return {one.point, one.clock, false};
}

TEST(Manager, ChoosesWhatTheExhaustiveSearchChooses) {
  std::mt19937 random(5);
  // few different numbers, so that many are equal
  const auto draw = [&](int most) { return static_cast<std::int32_t>(random() % static_cast<unsigned>(most)); };
  int met = 0;
  int missed = 0;
  int none = 0;
  for (int round = 0; round < 20000; ++round) {
    const int points = draw(6);
    const int clocks = 1 + draw(3);
    const int levels = 1 + draw(3);
    const int spread = random() % 2 == 0 ? 4 : 1000;
    std::vector<Setting> settings;
    for (int p = 0; p < points; ++p) {
      for (int c = 0; c < clocks; ++c) {
        for (int l = 0; l < levels; ++l) settings.push_back({p, c, l, draw(spread), draw(spread), draw(spread)});
      }
    }
    std::shuffle(settings.begin(), settings.end(), random);
    const int level = draw(levels + 1);
    const int floor = draw(spread);
    const int deadline_us = draw(spread + 2);
    const int energy_nj = draw(spread + 2);
    const runtime::SettingChoice choice = runtime::choose_setting(
        settings.data(), static_cast<std::int32_t>(settings.size()), level, floor, deadline_us, energy_nj);
    EXPECT_EQ((Chosen{choice.point, choice.clock, choice.meets_floor}),
              exhaustive(settings, level, floor, deadline_us, energy_nj));
    ++(choice.meets_floor ? met : choice.point >= 0 ? missed : none);
  }
  EXPECT_GT(met, 1000);
  EXPECT_GT(missed, 1000);
  EXPECT_GT(none, 1000);
}

TEST(Manager, TakesErrorsAsNegativeQuality) {
  const runtime::Setting<float> settings[] = {
      {0, 0, 0, -0.01F, 500, 90}, {0, 1, 0, -0.01F, 100, 120}, {1, 0, 0, -0.02F, 400, 60}, {1, 1, 0, -0.02F, 80, 80}};
  const auto choose = [&](float ceiling, int deadline_us, int energy_nj) {
    const runtime::SettingChoice choice = runtime::choose_setting(settings, 4, 0, -ceiling, deadline_us, energy_nj);
    return Chosen{choice.point, choice.clock, choice.meets_floor};
  };
  EXPECT_EQ(choose(0.05F, 1000, 1000), (Chosen{1, 0, true}));
  EXPECT_EQ(choose(0.05F, 90, 1000), (Chosen{1, 1, true}));    // a short deadline takes the fast clock
  EXPECT_EQ(choose(0.015F, 200, 1000), (Chosen{0, 1, true}));  // and a good answer the dear point
  EXPECT_EQ(choose(0.015F, 200, 100), (Chosen{1, 1, false}));
  EXPECT_EQ(choose(0.015F, 50, 1000), (Chosen{-1, -1, false}));
}

}  // namespace
}  // namespace trimtab
