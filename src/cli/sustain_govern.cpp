#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "cli/sustain.h"
#include "thermal/govern.h"

namespace trimtab::cli {
namespace {

volatile sig_atomic_t stop_requested = 0;
extern "C" void request_stop(int /*signal*/) { stop_requested = 1; }

/// SIGINT, SIGTERM and SIGHUP end the daemon at its next step; they also wake it.
void end_on_signals() {
  struct sigaction action {};
  action.sa_handler = request_stop;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

/// The machine's monotonic clock; ends after a given time.
class RealClock : public thermal::Clock {
 public:
  explicit RealClock(double seconds) : end_(seconds > 0 ? now() + seconds : INFINITY) {}
  [[nodiscard]] double now_s() override { return now(); }
  [[nodiscard]] bool sleep_until(double time_s) override {
    timespec until{};
    until.tv_sec = static_cast<time_t>(time_s);
    until.tv_nsec = static_cast<long>((time_s - std::floor(time_s)) * 1e9);
    while (stop_requested == 0 && ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
    return stop_requested == 0 && now() < end_;
  }

 private:
  static double now() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
  double end_;
};

/// The clock of a simulated board: two pipes that whoever started us left open. Into one goes the time until which the
/// daemon wants to sleep, from the other comes the time it then is; end of file ends the daemon. The board's process
/// lets its virtual time pass between the two, so that a day takes seconds.
class VirtualClock : public thermal::Clock {
 public:
  VirtualClock(const std::vector<int>& pipes, double seconds)
      : now_pipe_(pipes.at(0)), sleep_(pipes.at(1)), end_(seconds > 0 ? seconds : INFINITY) {
    if (::fcntl(now_pipe_, F_GETFD) < 0 || ::fcntl(sleep_, F_GETFD) < 0) {
      throw bad_input("--virtual-clock {} {} are not two open pipes", now_pipe_, sleep_);
    }
  }
  [[nodiscard]] double now_s() override { return now_; }
  [[nodiscard]] bool sleep_until(double time_s) override {
    const std::string line = fmt::format("{:.6f}\n", time_s);
    if (::write(sleep_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return false;
    // A signal that comes just before read() would not wake it.
    pollfd polled{now_pipe_, POLLIN, 0};
    while (stop_requested == 0 && ::poll(&polled, 1, 100) <= 0) {
    }
    if (stop_requested != 0) return false;
    std::array<char, 64> block{};
    const ssize_t count = ::read(now_pipe_, block.data(), block.size() - 1);
    if (count <= 0) return false;  // the board is gone
    now_ = std::strtod(block.data(), nullptr);
    return stop_requested == 0 && now_ < end_;
  }

 private:
  int now_pipe_;
  int sleep_;
  double now_ = 0;
  double end_;
};

struct SustainGovernOptions {
  CommonOptions common;
  std::string soc;
  std::string cluster;
  std::string variants;
  std::string root = "/sys";
  std::string policy = "policy0";
  std::string zone = "thermal_zone0";
  std::string operating_point;
  thermal::GovernOptions govern;
  double seconds = 0;
  double watchdog_s = 10;
  std::vector<int> virtual_clock;
  bool verbose = false;
};

void run(const SustainGovernOptions& options) {
  const thermal::Soc soc = thermal::read_soc(options.soc);
  const thermal::Cluster& cluster = options.cluster.empty() ? soc.clusters.front() : find_cluster(soc, options.cluster);
  std::vector<thermal::ThermalPoint> points;
  double best = 0;
  for (const thermal::Variant& variant : thermal::read_variants(options.variants)) {
    // Without a way to tell the application which variant to run there is only the first.
    if (options.operating_point.empty() && !points.empty()) break;
    best = std::max(best, variant.accuracy);
    const std::vector<thermal::ThermalPoint> more = thermal_points(cluster, variant);
    points.insert(points.end(), more.begin(), more.end());
  }
  if (options.govern.accuracy_floor > best) {
    throw bound_not_met("no variant reaches a mean accuracy of {} %; the best has {} %", options.govern.accuracy_floor,
                        best);
  }
  thermal::Controller controller(soc, cluster, std::move(points), options.govern);
  thermal::SysfsDevice device(options.root, options.policy, options.zone, options.operating_point);
  std::vector<thermal::Watchdog::Restore> files{{device.limit_path(), device.original()}};
  if (!options.operating_point.empty()) files.push_back({device.operating_point_file(), ""});
  thermal::Watchdog watchdog(files, std::max(options.watchdog_s, 3 * options.govern.period_s));
  end_on_signals();
  std::unique_ptr<thermal::Clock> clock;
  if (options.virtual_clock.empty()) {
    clock = std::make_unique<RealClock>(options.seconds);
  } else {
    clock = std::make_unique<VirtualClock>(options.virtual_clock, options.seconds);
  }
  std::int64_t steps = 0;
  std::string trouble;
  double rate = 0;
  govern(controller, device, *clock, options.govern.period_s, [&](std::size_t point) {
    watchdog.beat();
    ++steps;
    rate += controller.points()[point].rate;
    if (controller.trouble() != trouble) {
      trouble = controller.trouble();
      fmt::print(stderr, "trimtab govern: {}\n", trouble.empty() ? "all is well again" : trouble + "; lowest OPP");
    }
    if (options.verbose && steps % 20 == 0) {
      fmt::print(stderr, "trimtab govern: ambient {:.1f} degrees, {:g} MHz\n", controller.ambient_c(),
                 controller.points()[point].opp.mhz);
    }
  });
  const double mean = steps > 0 ? rate / static_cast<double>(steps) : 0;
  print({{{"steps", steps}, {"ambient_c", controller.ambient_c()}, {"planned_rate_per_s", mean}},
         fmt::format("{} steps, ambient estimated at {:.1f} degrees, {:.2f} inferences/s planned; restored\n", steps,
                     controller.ambient_c(), mean)},
        options.common.json);
}

}  // namespace

void add_sustain_govern(CLI::App& sustain) {
  const auto options = std::make_shared<SustainGovernOptions>();
  CLI::App* command = sustain.add_subcommand(
      "govern", "run the daemon that keeps a board as fast as possible below its temperature limit");
  add_soc(*command, options->soc)->required();
  add_variants_option(*command, options->variants)->required();
  add_cluster_option(*command, options->cluster);
  add_policy_option(*command, options->policy);
  command->add_option("--zone", options->zone, "thermal zone of the cluster")->capture_default_str();
  add_sysfs_root_option(*command, options->root);
  command->add_option("--operating-point", options->operating_point,
                      "file that tells the application which variant to run; without it only the first variant runs");
  add_temperature_limit_option(*command, options->govern.limit_c);
  command->add_option("--margin", options->govern.margin_k, "kelvins that peaks stay below the limit")
      ->check(CLI::Range(0.0, 30.0))
      ->capture_default_str();
  add_min_accuracy_option(*command, options->govern.accuracy_floor);
  command->add_option("--period", options->govern.period_s, "seconds between decisions")
      ->check(CLI::Range(0.02, 10.0))
      ->capture_default_str();
  add_duration_option(*command, options->seconds)->check(CLI::NonNegativeNumber);
  command
      ->add_option("--watchdog", options->watchdog_s,
                   "seconds without a step after which the watchdog ends the daemon and restores the board")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command
      ->add_option("--virtual-clock", options->virtual_clock,
                   "file descriptors of a simulated board's clock: one to read the time from, one to write the time to "
                   "sleep until")
      ->expected(2);
  command->add_flag("--verbose", options->verbose, "log the state every 20 steps");
  add_common_options(
      *command, options->common,
      "trimtab sustain govern targets/socs/exynos5422.toml --variants mobilenet.csv --policy policy4 --zone "
      "thermal_zone0 --temperature-limit 85");
  command->callback([options] { run(*options); });
}

}  // namespace trimtab::cli
