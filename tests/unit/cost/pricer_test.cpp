#include "cost/pricer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cost/energy.h"
#include "support/program_builder.h"
#include "support/two_clocks.h"

// Bounds on latency: held against the upper end of the estimate of cycles, and where there is none against one cycle
// per instruction, which the message says.
namespace trimtab {
namespace {

using testing::HasSubstr;

Target at_100_mhz(Processor processor) {
  Target target;
  target.processor = processor;
  target.clock_hz.value = 100'000'000;
  return target;
}

std::string misses(Processor processor, const Deployment& deployment, double latency_ms) {
  Dataset data;
  data.shape = {1, 1, 1};
  data.features = {{0.0F}, 1};
  data.labels = {0};
  data.classes = {"a"};
  const Pricer pricer(at_100_mhz(processor), Optimize::speed, data, data, {}, "net", true);
  Bounds bounds;
  bounds.latency_ms = latency_ms;
  return pricer.misses(deployment, bounds);
}

TEST(LatencyBound, IsHeldAgainstTheUpperEndOfTheEstimate) {
  Deployment deployment;
  deployment.point_instructions = {1'000'000};                    // 10 ms
  deployment.cycles = CycleEstimate{1.4e6, 1.5e6, 1.6e6, 2.0e6};  // 15 to 20 ms
  EXPECT_EQ(misses(Processor::cortex_m4, deployment, 0), "");
  EXPECT_EQ(misses(Processor::cortex_m4, deployment, 20.01), "");
  for (const double bound : {12.0, 17.0, 19.99}) {
    EXPECT_THAT(misses(Processor::cortex_m4, deployment, bound),
                HasSubstr("an inference takes an estimated 16.00 ms (15.00 to 20.00), more than the bound of"));
  }
}

TEST(LatencyBound, WithoutTimingsIsOneCyclePerInstruction) {
  Deployment deployment;
  deployment.point_instructions = {1'000'000};
  EXPECT_EQ(misses(Processor::cortex_m55, deployment, 10), "");
  EXPECT_EQ(misses(Processor::cortex_m55, deployment, 9.99),
            "an inference takes at least 10.00 ms (a cycle per instruction: there are no timings of the cortex-m55), "
            "more than the bound of 9.99 ms");
}

TEST(Figures, AreThoseOfTheBoundsAlone) {
  Deployment deployment;
  deployment.image.text = 2048;
  deployment.point_instructions = {1'000'000};
  deployment.cycles = CycleEstimate{1.4e6, 1.5e6, 1.6e6, 2.0e6};
  Dataset data;
  data.shape = {1, 1, 1};
  data.features = {{0.0F}, 1};
  data.labels = {0};
  data.classes = {"a"};
  const Pricer pricer(at_100_mhz(Processor::cortex_m4), Optimize::speed, data, data, {}, "net", true);
  const Bounds bounds{1024, 4096, 2'000'000, 19};
  const Bounds missed = pricer.missed_bounds(deployment, bounds);
  EXPECT_EQ(missed.flash_bytes, 1024);
  EXPECT_EQ(missed.ram_bytes, 0);
  EXPECT_EQ(missed.instructions, 0);
  EXPECT_EQ(missed.latency_ms, 19);
  EXPECT_EQ(pricer.figures(deployment, missed), "2.0 KB of flash and an estimated 16.00 ms (15.00 to 20.00)");
}

/// Two clocks: the slow one takes a third of the energy. The program takes a million cycles, 10 % more or less.
Target with_power() {
  Target target = at_100_mhz(Processor::cortex_m4);
  target.name = "mine";
  target.power = test::two_clocks();
  target.power->clocks.back().nj_per_cycle_most = 0.5;
  return target;
}

Deployment of_a_million_cycles() {
  Deployment deployment;
  deployment.point_instructions = {1'000'000};
  deployment.cycles = CycleEstimate{1e6, 0.9e6, 1e6, 1.1e6};
  deployment.clock_cycles = {*deployment.cycles, *deployment.cycles};
  return deployment;
}

std::string energy_misses(const Bounds& bounds) {
  Dataset data;
  data.shape = {1, 1, 1};
  data.features = {{0.0F}, 1};
  data.labels = {0};
  data.classes = {"a"};
  return Pricer(with_power(), Optimize::speed, data, data, {}, "net", true).misses(of_a_million_cycles(), bounds);
}

TEST(Deadline, IsHeldByTheClockOfTheLeastEnergy) {
  Bounds bounds;
  bounds.duty.deadline_ms = 110;
  EXPECT_EQ(energy_misses(bounds), "");
  EXPECT_EQ(choose_clock(with_power(), of_a_million_cycles(), bounds)->clock, 0U);
  bounds.duty.deadline_ms = 109.9;  // the slow clock may take 110 ms
  EXPECT_EQ(energy_misses(bounds), "");
  EXPECT_EQ(choose_clock(with_power(), of_a_million_cycles(), bounds)->clock, 1U);
  bounds.duty.deadline_ms = 10.9;
  EXPECT_EQ(energy_misses(bounds),
            "no clock of mine meets the deadline of 10.90 ms: the nearest, 100 MHz, takes an estimated 10.00 ms (9.00 "
            "to 11.00)");
}

TEST(EnergyBound, IsHeldAgainstTheUpperEndAtTheClockThatRuns) {
  Bounds bounds;
  bounds.energy_uj = 550;  // 1.1 million cycles of 0.5 nJ
  EXPECT_EQ(energy_misses(bounds), "");
  EXPECT_EQ(choose_clock(with_power(), of_a_million_cycles(), bounds)->clock, 1U);
  bounds.energy_uj = 549;  // the slow clock is within
  EXPECT_EQ(energy_misses(bounds), "");
  EXPECT_EQ(choose_clock(with_power(), of_a_million_cycles(), bounds)->clock, 0U);
  bounds.energy_uj = 109;
  EXPECT_EQ(energy_misses(bounds),
            "an inference takes an estimated 100 uJ (90 to 110) at 10 MHz, more than the bound of 109 uJ");
  bounds.energy_uj = 549;
  bounds.duty.deadline_ms = 20;  // no time for the slow clock
  EXPECT_EQ(energy_misses(bounds),
            "an inference takes an estimated 300 uJ (270 to 550) at 100 MHz, more than the bound of 549 uJ");
  bounds.duty.deadline_ms = 200;
  EXPECT_EQ(energy_misses(bounds), "");
}

TEST(Energy, StandsInTheResult) {
  Bounds bounds;
  bounds.duty.deadline_ms = 20;
  nlohmann::ordered_json json;
  add_energy(json, with_power(), of_a_million_cycles(), bounds);
  EXPECT_EQ(json["bounds"].dump(), R"({"deadline_ms":20.0})");
  EXPECT_EQ(json["energy"]["clock_hz"], 100'000'000);
  EXPECT_DOUBLE_EQ(json["energy"]["inference_uj"], 300);
  EXPECT_DOUBLE_EQ(json["energy"]["inference_most_uj"], 550);
  EXPECT_EQ(json["energy"]["clocks"].size(), 2U);
  EXPECT_EQ(json["energy"]["clocks"][0]["in_time"], false);
  json.clear();
  add_energy(json, at_100_mhz(Processor::cortex_m4), of_a_million_cycles(), {});
  EXPECT_EQ(json.dump(), R"({"energy_unknown":"the description of  has no [power]"})");
}

TEST(Latency, HasNoUpperEndWithoutTimings) {
  Deployment deployment;
  deployment.point_instructions = {1'000'000};
  nlohmann::ordered_json json;
  add_latency(json, at_100_mhz(Processor::cortex_m55), deployment);
  EXPECT_EQ(json.dump(), R"({"latency_lower_ms":10.0})");
  deployment.cycles = CycleEstimate{1.4e6, 1.5e6, 1.6e6, 2.0e6};
  json.clear();
  add_latency(json, at_100_mhz(Processor::cortex_m4), deployment);
  EXPECT_EQ(json.dump(),
            R"({"estimated_cycles":1600000,"estimated_cycles_least":1500000,"estimated_cycles_most":2000000,)"
            R"("estimated_cycles_without_waits":1400000,)"
            R"("latency_lower_ms":15.0,"latency_expected_ms":16.0,"latency_upper_ms":20.0})");
}

/// A convolution whose fastest kernel needs more scratch memory than maps take that lie whole in the arena.
Program fast_with_much_ram() {
  ProgramBuilder b(1, 1);
  b.program.input = b.add_buffer(16, 16, 32, {1, 8, false});
  return b.finish(b.convolution(b.program.input, square(32, 3, 1, 16), {1, 8, false}, 8));
}

class BoundsOnTime : public testing::Test {
 protected:
  [[nodiscard]] Deployment measure(const Bounds& bounds) const {
    return pricer_.measure_within({program_, pricer_.schedule_of(program_)}, bounds);
  }

  Program program_ = fast_with_much_ram();
  Dataset data_ = [] {
    Dataset data;
    data.shape = {32, 16, 16};
    data.features = {std::vector<float>(32 * 16 * 16, 0.5F), 32 * 16 * 16};
    data.labels = {0};
    data.classes = {"a"};
    return data;
  }();
  Pricer pricer_{load_target("cortex-m3"), Optimize::speed, data_, data_, {}, "net", false};
};

TEST_F(BoundsOnTime, TakeRamThatIsToSpare) {
  const Deployment usual = measure({});
  const Deployment fastest =
      pricer_.measure({program_, pricer_.schedule_of(program_, {.arena_bytes = std::int64_t{100} << 10})});
  ASSERT_LT(fastest.instructions(), usual.instructions());
  ASSERT_GT(fastest.arena_bytes, usual.arena_bytes);
  Bounds bounds;
  bounds.instructions = usual.instructions() - 1;
  const Deployment grown = measure(bounds);
  EXPECT_EQ(grown.instructions(), fastest.instructions());
  EXPECT_EQ(pricer_.misses(grown, bounds), "");
  bounds.ram_bytes = usual.ram_bytes();
  EXPECT_EQ(measure(bounds).ram_bytes(), usual.ram_bytes());
  EXPECT_THAT(pricer_.misses(measure(bounds), bounds), HasSubstr("more than the bound of"));
}

}  // namespace
}  // namespace trimtab
