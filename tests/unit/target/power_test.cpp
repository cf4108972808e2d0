#include "target/power.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "target/share.h"
#include "target/target.h"

// Energies against closed forms, the choice of a clock against the exhaustive one, and what is refused of a [power].
namespace trimtab {
namespace {

using testing::HasSubstr;

PowerClock clock_of(std::int64_t hz, double least, double expected, double most) {
  PowerClock clock;
  clock.hz = hz;
  clock.nj_per_cycle_least = least;
  clock.nj_per_cycle = expected;
  clock.nj_per_cycle_most = most;
  return clock;
}

Power two_clocks() {
  Power power;
  power.clocks = {clock_of(10'000'000, 0.1, 0.2, 0.3), clock_of(100'000'000, 0.25, 0.3, 0.5)};
  return power;
}

TEST(Power, CostsFollowTheClosedForm) {
  Power power = two_clocks();
  const std::vector<CycleEstimate> cycles{{0, 1e6, 2e6, 3e6}, {0, 2e6, 3e6, 4e6}};
  const std::vector<ClockCost> alone = clock_costs(power, cycles, {});
  EXPECT_DOUBLE_EQ(alone[0].latency_ms.least, 100);  // a million cycles at 10 MHz
  EXPECT_DOUBLE_EQ(alone[0].latency_ms.expected, 200);
  EXPECT_DOUBLE_EQ(alone[0].latency_ms.most, 300);
  EXPECT_DOUBLE_EQ(alone[0].inference_uj.least, 100);  // a million cycles of 0.1 nJ
  EXPECT_DOUBLE_EQ(alone[0].inference_uj.expected, 400);
  EXPECT_DOUBLE_EQ(alone[0].inference_uj.most, 900);
  EXPECT_DOUBLE_EQ(alone[1].inference_uj.expected, 900);
  EXPECT_FALSE(alone[0].period_uj.has_value());
  EXPECT_TRUE(alone[0].in_time);

  power.sleep = Sleep{50, 2000.0, ""};  // 50 uW, 2 ms to wake
  const std::vector<ClockCost> periodic = clock_costs(power, cycles, {0, 1000});
  EXPECT_DOUBLE_EQ(periodic[0].latency_ms.expected, 202);
  // 2 ms at 10 MHz of 0.2 nJ are 4 uJ; 798 ms of 50 uW are 39.9 uJ
  EXPECT_NEAR(periodic[0].period_uj->expected, 400 + 4 + 39.9, 1e-9);
  EXPECT_NEAR(periodic[1].period_uj->expected, 900 + 60 + 48.4, 1e-9);
  EXPECT_TRUE(periodic[0].in_time);
  EXPECT_FALSE(clock_costs(power, cycles, {301, 1000})[0].in_time);
  EXPECT_TRUE(clock_costs(power, cycles, {302, 1000})[0].in_time);
}

TEST(Power, SleepsNotAtAllWhereThePeriodIsTooShort) {
  Power power = two_clocks();
  power.sleep = Sleep{50, std::nullopt, ""};
  const std::vector<CycleEstimate> cycles{{0, 1e6, 2e6, 3e6}, {0, 2e6, 3e6, 4e6}};
  const std::vector<ClockCost> costs = clock_costs(power, cycles, {0, 150});
  EXPECT_DOUBLE_EQ(costs[0].period_uj->expected, 400);
  EXPECT_FALSE(costs[0].in_time);
  EXPECT_TRUE(costs[1].in_time);
  EXPECT_EQ(choose_clock(costs, {0, 150}), 1U);
}

TEST(Power, WithoutADutyTheFastestClockRuns) {
  const Power power = two_clocks();
  const std::vector<ClockCost> costs = clock_costs(power, std::vector<CycleEstimate>(2, {0, 1e6, 1e6, 1e6}), {});
  EXPECT_EQ(choose_clock(costs, {}), 1U);
  EXPECT_EQ(choose_clock(costs, {1e6, 0}), 0U);  // a slower one spends less
  EXPECT_EQ(choose_clock(costs, {}, 500), 1U);   // a million cycles of 0.5 nJ
  EXPECT_EQ(choose_clock(costs, {}, 499), 0U);
  EXPECT_EQ(choose_clock(costs, {}, 299), 0U);  // none is within: the nearest
}

TEST(Power, NoClockThatIsAllowedSpendsLess) {
  std::mt19937 random(11);
  const auto between = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  int none = 0;
  int bounded = 0;
  for (int round = 0; round < 4000; ++round) {
    Power power;
    std::vector<CycleEstimate> cycles;
    const int clocks = 1 + static_cast<int>(random() % 5);
    for (int c = 0; c < clocks; ++c) {
      const double nj = between(0.05, 0.5);
      power.clocks.push_back(clock_of(10'000'000 * (c + 1), nj * 0.9, nj, nj * 1.2));
      const double count = between(1e5, 4e6);
      cycles.push_back({0, count * 0.9, count, count * 1.1});
    }
    if (random() % 2 == 0) power.sleep = Sleep{between(1, 2000), between(1, 5000), ""};
    Duty duty{between(1, 200), 0};
    if (random() % 2 == 0) duty = {random() % 2 == 0 ? between(1, 200) : 0, between(200, 400)};
    const double most_uj = random() % 2 == 0 ? between(10, 1000) : 0;
    const std::vector<ClockCost> costs = clock_costs(power, cycles, duty);

    // the definition, from the numbers alone
    const auto spent = [&](int c) {
      const PowerClock& clock = power.clocks[c];
      const double joules = cycles[c].expected * clock.nj_per_cycle * 1e-9;
      if (duty.period_ms <= 0 || !power.sleep.has_value()) return joules;
      const double wake_s = power.sleep->wake_us.value_or(0) * 1e-6;
      const double awake_s = wake_s + cycles[c].expected / double(clock.hz);
      return joules + wake_s * double(clock.hz) * clock.nj_per_cycle * 1e-9 +
             power.sleep->uw * 1e-6 * std::max(0.0, duty.period_ms * 1e-3 - awake_s);
    };
    const auto in_time = [&](int c) {
      const bool wakes = duty.period_ms > 0 && power.sleep.has_value();
      const double s = cycles[c].most / double(power.clocks[c].hz) + (wakes ? *power.sleep->wake_us * 1e-6 : 0);
      return s * 1e3 <= (duty.deadline_ms > 0 ? duty.deadline_ms : duty.period_ms);
    };
    const auto within = [&](int c) {
      return most_uj <= 0 || cycles[c].most * power.clocks[c].nj_per_cycle_most * 1e-3 <= most_uj;
    };
    int best = -1;
    for (const bool must_be_within : {true, false}) {
      if (best >= 0) break;
      for (int c = 0; c < clocks; ++c) {
        if (in_time(c) && (within(c) || !must_be_within) && (best < 0 || spent(c) < spent(best))) best = c;
      }
    }
    const std::size_t chosen = choose_clock(costs, duty, most_uj);
    if (best < 0) {
      ++none;
      EXPECT_EQ(chosen, costs.size() - 1);
      continue;
    }
    bounded += within(best) ? 1 : 0;
    EXPECT_TRUE(costs[chosen].in_time);
    EXPECT_EQ(static_cast<int>(chosen), best);
    EXPECT_NEAR(costs[chosen].spent_uj(), spent(best) * 1e6, 1e-6 * spent(best) * 1e6);
  }
  EXPECT_GT(none, 100);
  EXPECT_GT(bounded, 1000);
}

TEST(Power, TargetsSayWhereTheirNumbersComeFrom) {
  int known = 0;
  for (const std::string& name : target_names()) {
    const Target target = load_target(name);
    if (!target.power.has_value()) continue;
    ++known;
    EXPECT_FALSE(target.power->supply_source.empty()) << name;
    for (const PowerClock& clock : target.power->clocks) EXPECT_FALSE(clock.source.empty()) << name;
    EXPECT_TRUE(!target.power->sleep.has_value() || !target.power->sleep->source.empty()) << name;
    // the wait states of the highest clock are those that the flash has without [power]
    EXPECT_TRUE(target.power->clocks.back().hz != target.clock_hz.value ||
                target.power->clocks.back().flash_wait_states == target.flash_wait_states.value)
        << name;
  }
  EXPECT_GE(known, 6);
}

TEST(Power, OfTheL4R5IsThatOfMlperfTiny) {
  const Target target = load_target("stm32l4r5");
  ASSERT_TRUE(target.power.has_value());
  const PowerClock& fastest = target.power->clocks.back();
  EXPECT_EQ(fastest.hz, 120'000'000);
  // ResNet-8 of round 1.3: 5495.915 uJ in 19.88 million cycles
  EXPECT_NEAR(fastest.nj_per_cycle, 5495.915 / 19.88e6 * 1e3, 0.001);
  const PowerClock& slower = target.power->clocks.front();
  EXPECT_EQ(at_clock(target, slower).clock_hz.value, 70'000'000);
  EXPECT_EQ(at_clock(target, slower).flash_wait_states.value, 3);
  // The streaming job of round 1.3 at 70 MHz: 22.719 mW, awake for 0.95857 of the time. If sleep draws as much, a cycle
  // takes the lower of these, and if it draws nothing the higher.
  EXPECT_NEAR(slower.nj_per_cycle, 22.719 / 70, 0.001);
  EXPECT_GT(slower.nj_per_cycle_most, 22.719 / 70 / 0.95857);
  EXPECT_FALSE(target.power->sleep.has_value());  // no source tells it
}

TEST(Power, OfPartsInMlperfTinyIsWhatTheirBoardsTook) {
  struct Published {
    const char* target;
    double mhz, inferences_per_s, uj;  // ResNet-8, ST's board: inferences per second and energy of one
  };
  for (const Published& row :
       {Published{"stm32u575", 160, 9.133, 2565.2442}, Published{"stm32u385", 96, 5.481, 965.5817},
        Published{"stm32h7a3", 280, 24.483, 5090.283}}) {
    const PowerClock clock = load_target(row.target).power->clocks.back();
    EXPECT_EQ(clock.hz, static_cast<std::int64_t>(row.mhz * 1e6)) << row.target;
    const double nj = row.uj * row.inferences_per_s / row.mhz * 1e-3;
    EXPECT_NEAR(clock.nj_per_cycle, nj, 0.025 * nj) << row.target;   // the file has the middle of three networks
    EXPECT_LE(clock.nj_per_cycle_least, nj + 0.0005) << row.target;  // three digits are in the file
    EXPECT_GE(clock.nj_per_cycle_most, nj - 0.0005) << row.target;
  }
}

TEST(Power, SaysWhatIsWrong) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "mine.toml";
  const std::string shipped = read_text(targets_directory() / "stm32l4r5.toml");
  const std::string good = shipped.substr(0, shipped.find("[power]")) + R"([power]
supply_v_least = 1.71
supply_v_most = 3.6
source = "x"
[[power.clocks]]
hz = 120_000_000
flash_wait_states = 5
nj_per_cycle = 0.276
nj_per_cycle_least = 0.273
nj_per_cycle_most = 0.365
source = "x"
[[power.clocks]]
hz = 80_000_000
core_v = 1.2
flash_wait_states = 3
nj_per_cycle = 0.259
nj_per_cycle_least = 0.240
nj_per_cycle_most = 0.365
source = "x"
[[power.clocks]]
hz = 26_000_000
flash_wait_states = 2
nj_per_cycle = 0.216
nj_per_cycle_least = 0.167
nj_per_cycle_most = 0.365
source = "x"
[power.sleep]
uw = 8.4
wake_us = 5
source = "x"
)";
  const auto complaint = [&](const std::string& text) -> std::string {
    write_file(file, text);
    try {
      (void)load_target(file.string());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return error.what();
    }
    return {};
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return complaint(text);
  };
  EXPECT_EQ(complaint(good), "");
  for (const std::string bad : {"-0.276", "nan", "inf", "0", "\"little\""}) {
    EXPECT_THAT(with("nj_per_cycle = 0.276", "nj_per_cycle = " + bad),
                HasSubstr("power.clocks.nj_per_cycle must be a number above 0"))
        << bad;
  }
  EXPECT_THAT(with("nj_per_cycle = 0.276\n", ""), HasSubstr("power.clocks.nj_per_cycle must be a number"));
  EXPECT_THAT(with("nj_per_cycle = 0.276", "nj_per_cycle = 0.5"),
              HasSubstr("nj_per_cycle at 120 MHz is 0.5; it must lie between its nj_per_cycle_least of 0.273"));
  EXPECT_THAT(with("hz = 80_000_000", "hz = 121_000_000"),
              HasSubstr("power.clocks has 121 MHz, and the highest clock of the target (clock.hz) is 120 MHz"));
  EXPECT_THAT(with("hz = 80_000_000", "hz = 26_000_000"), HasSubstr("power.clocks has 26 MHz twice"));
  EXPECT_THAT(with("hz = 80_000_000", "hz = -5"), HasSubstr("power.clocks.hz must be a whole number"));
  EXPECT_THAT(with("flash_wait_states = 3", "flash_wait_states = 2.5"),
              HasSubstr("power.clocks.flash_wait_states must be a whole number from 0 to 100"));
  EXPECT_THAT(with("supply_v_most", "supply_v = 5\nsupply_v_most"),
              HasSubstr("power.supply_v is 5; it must lie between"));
  EXPECT_THAT(with("supply_v_least = 1.71", "supply_v_least = 5"), HasSubstr("power.supply_v_least of 5 is above"));
  EXPECT_THAT(with("supply_v_least = 1.71\n", ""), HasSubstr("power.supply_v_least must be a number"));
  EXPECT_EQ(with("supply_v_least = 1.71\nsupply_v_most = 3.6\n", ""), "");
  EXPECT_THAT(with("uw = 8.4", "uw = -1"), HasSubstr("power.sleep.uw must be a number above 0"));
  EXPECT_THAT(with("wake_us = 5", "wake_us = inf"), HasSubstr("power.sleep.wake_us must be a number above 0"));
  EXPECT_THAT(complaint(good.substr(0, good.find("[[power.clocks]]"))), HasSubstr("[power] has no clocks"));
  EXPECT_THAT(complaint("power = 3\n" + good.substr(0, good.find("[power]"))),
              HasSubstr("power must be a table, begun by [power]"));
}

}  // namespace
}  // namespace trimtab
