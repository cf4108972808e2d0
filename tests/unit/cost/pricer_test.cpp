#include "cost/pricer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace trimtab
