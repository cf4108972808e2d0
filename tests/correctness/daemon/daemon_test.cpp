// `trimtab sustain govern`, the built command, in a process of its own; this process is the board: a plant with a
// virtual clock behind a sysfs tree.

#include <gtest/gtest.h>
#include <sched.h>

#include "base/process.h"
#include "support/daemon_process.h"

namespace trimtab::thermal {
namespace {

constexpr double limit_c = 85;

struct BoardModel {
  Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  Cluster cluster = find_cluster(soc, "a15");
  std::vector<ThermalPoint> points =
      thermal_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")));
};

/// The daemon on such a board.
class MobilenetDaemon : public Daemon {
 public:
  explicit MobilenetDaemon(FakeBoard& board, const std::vector<std::string>& more = {}) : Daemon(board, with(more)) {}

 private:
  static std::vector<std::string> with(const std::vector<std::string>& more) {
    std::vector<std::string> settings{source("targets/socs/exynos5422.toml"), "--variants",
                                      source("targets/socs/mobilenet_v1-exynos5422.csv"), "--min-accuracy", "69.9"};
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  }
};

void expect_restored(const FakeBoard& board) {
  EXPECT_EQ(read_attribute(board.frequency()), "2000000");
  EXPECT_FALSE(std::filesystem::exists(board.variant_file()));
}

void hold_the_limit(double hours, const FakeBoard::Faults& faults, const std::string& what) {
  const BoardModel model;
  FakeBoard board(model.soc, model.cluster, model.points, hours, faults);
  MobilenetDaemon daemon(board);
  daemon.run(1e9);
  EXPECT_GE(board.now_s(), hours * 3600 - 1);
  // Not only once it has settled: at no time.
  EXPECT_LE(board.worst(), limit_c + 1);
  // Of about 17 where nothing fails. The lies and dropouts alone take a tenth. A room that cools by more than 2.5 K
  // within a day is not believed, since a sensor that drifts reads the same: that takes another tenth on a day of
  // steps.
  EXPECT_GE(board.mean_rate(), 13.5);
  daemon.close_clock();
  EXPECT_EQ(daemon.wait(), 0) << daemon.log();
  Daemon::wait_for_watchdog();
  expect_restored(board);
  // For scripts/results-sustain, by --gtest_output=json.
  const auto record = [](const char* name, double value) {
    ::testing::Test::RecordProperty(name, fmt::format("{:.2f}", value));
  };
  record("hours", hours);
  record("limit_c", limit_c);
  record("peak_c", board.worst());
  record("settled_peak_c", board.settled_peak());
  record("rate_per_s", board.mean_rate());
  record("at_lowest_s", board.seconds_at_lowest());
  fmt::print(
      "{}, {:g} simulated hours: peak {:.2f} degrees ({:.2f} later than {:g} s after a disturbance), {:.2f} "
      "inferences/s, {:.0f} s at the lowest point\n",
      what, hours, board.worst(), board.settled_peak(), FakeBoard::settling_s, board.mean_rate(),
      board.seconds_at_lowest());
}

// Noise, delay, a sensor that vanishes, sticks, reads zero or nonsense, an ambient that jumps by 12 to 30 K at once
// (which no room does), a fan that sticks, a plant that differs from the model: for a whole day.
TEST(Daemon, HoldsTheLimitForADayOfFaults) { hold_the_limit(24, {}, "ambient in steps"); }

// The same with an ambient that changes within minutes.
TEST(Daemon, HoldsTheLimitWhileTheRoomWarms) {
  FakeBoard::Faults faults;
  faults.ambient_time_s = 120;
  hold_the_limit(4.5, faults, "ambient within minutes");
}

/// A board that its daemon has governed for 100 seconds.
class GovernedBoard : public testing::Test {
 protected:
  explicit GovernedBoard(const std::vector<std::string>& more = {}) : daemon(board, more) {}
  void SetUp() override { daemon.run(100); }

  BoardModel model;
  FakeBoard board{model.soc, model.cluster, model.points, 1, {}};
  MobilenetDaemon daemon;
};

class EndedBoard : public GovernedBoard, public testing::WithParamInterface<int> {};

TEST_P(EndedBoard, IsRestored) {
  EXPECT_NE(read_attribute(board.frequency()), "2000000");
  EXPECT_TRUE(std::filesystem::exists(board.variant_file()));
  daemon.signal(GetParam());
  EXPECT_EQ(daemon.wait(), 0) << daemon.log();
  Daemon::wait_for_watchdog();
  expect_restored(board);
}

INSTANTIATE_TEST_SUITE_P(Signals, EndedBoard, testing::Values(SIGTERM, SIGINT, SIGHUP));

/// No clean end: the fallback is in force, and the application keeps its variant.
void expect_fallback(const FakeBoard& board) {
  EXPECT_EQ(read_attribute(board.frequency()), "900000");
  EXPECT_TRUE(std::filesystem::exists(board.variant_file()));
}

/// The next daemon knows what was before the first, and its clean end restores it.
void expect_next_restores(FakeBoard& board) {
  MobilenetDaemon next(board);
  next.run(board.now_s() + 20);
  next.close_clock();
  EXPECT_EQ(next.wait(), 0) << next.log();
  Daemon::wait_for_watchdog();
  EXPECT_NE(next.log().find("an earlier daemon did not end cleanly"), std::string::npos) << next.log();
  expect_restored(board);
}

TEST_F(GovernedBoard, ItsWatchdogHoldsTheFallbackWhenTheDaemonIsKilled) {
  EXPECT_NE(read_attribute(board.frequency()), "2000000");
  daemon.signal(SIGKILL);
  EXPECT_EQ(daemon.wait(), 128 + SIGKILL);
  Daemon::wait_for_watchdog();
  expect_fallback(board);
  expect_next_restores(board);
}

TEST_F(GovernedBoard, ItsDaemonStartsTheWatchdogAgain) {
  const pid_t first = daemon.watchdog();
  ASSERT_GT(first, 0);
  ::kill(first, SIGKILL);
  // Until the kernel has ended it: the daemon's time is virtual and may be over before.
  while (read_attribute(fmt::format("/proc/{}/stat", first)).value_or(") Z ").find(") Z ") == std::string::npos) {
    ::sched_yield();
  }
  daemon.wake();
  daemon.run(200);
  EXPECT_NE(daemon.watchdog(), first);
  EXPECT_NE(daemon.log().find("the watchdog had ended; it is started again"), std::string::npos) << daemon.log();
  daemon.signal(SIGKILL);
  EXPECT_EQ(daemon.wait(), 128 + SIGKILL);
  Daemon::wait_for_watchdog();
  expect_fallback(board);
}

// As a service manager does that kills the whole group; ExecStopPost then sets the fallback.
TEST_F(GovernedBoard, IsReleasedWhenDaemonAndWatchdogDie) {
  daemon.signal(SIGSTOP);
  ::kill(daemon.watchdog(), SIGKILL);
  daemon.signal(SIGKILL);
  EXPECT_EQ(daemon.wait(), 128 + SIGKILL);
  Daemon::wait_for_watchdog();
  const auto release = [&](std::vector<std::string> more) {
    std::vector<std::string> command{TRIMTAB_COMMAND, "sustain", "release", "--sysfs-root", board.root()};
    command.insert(command.end(), more.begin(), more.end());
    return run_process(command, "").exit_code;
  };
  EXPECT_EQ(release({}), 0);
  expect_fallback(board);
  expect_next_restores(board);
  EXPECT_EQ(release({}), 0);  // after a clean end there is nothing to do
  expect_restored(board);
}

TEST_F(GovernedBoard, HasOneDaemon) {
  const ProcessResult second =
      run_process({TRIMTAB_COMMAND, "sustain", "govern", source("targets/socs/exynos5422.toml"), "--variants",
                   source("targets/socs/mobilenet_v1-exynos5422.csv"), "--sysfs-root", board.root(), "--duration", "1"},
                  "");
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_NE(second.errors.find("policy0 is governed by process " + std::to_string(daemon.process())), std::string::npos)
      << second.errors;
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
  Daemon::wait_for_watchdog();
  expect_restored(board);
}

TEST_F(GovernedBoard, ItsDaemonCorrectsAForeignWriteWhileItHoldsTheFallback) {
  for (int i = 0; i < 4; ++i) {
    write_attribute(board.frequency(), "2000000");
    daemon.wake();
    daemon.run(board.now_s() + 1);
    EXPECT_EQ(read_attribute(board.frequency()), "900000");
  }
  EXPECT_NE(daemon.log().find("another process raised the limit to 2000 MHz"), std::string::npos) << daemon.log();
}

class WatchedBoard : public GovernedBoard {
 protected:
  WatchedBoard() : GovernedBoard({"--watchdog", "2"}) {}
};

TEST_F(WatchedBoard, ItsWatchdogEndsTheDaemonThatHangs) {
  daemon.signal(SIGSTOP);  // it will not beat again
  EXPECT_EQ(daemon.wait(), 128 + SIGKILL);
  Daemon::wait_for_watchdog();
  expect_fallback(board);
}

TEST_F(GovernedBoard, ItsDaemonEndsWhenTheFrequencyCannotBeWrittenAnyMore) {
  // The policy goes away, as it does where a cluster is unplugged.
  std::filesystem::remove(board.frequency());
  std::filesystem::create_directory(board.frequency());
  for (int i = 0; i < 1000; ++i) {
    daemon.wake();
    const double until = daemon.wish();
    if (until < 0) break;
    (void)board.sleep_until(until);
  }
  EXPECT_EQ(daemon.wait(), 2);
  Daemon::wait_for_watchdog();
  EXPECT_TRUE(std::filesystem::exists(board.variant_file()));
  EXPECT_NE(daemon.log().find("cannot be written"), std::string::npos) << daemon.log();
}

}  // namespace
}  // namespace trimtab::thermal
