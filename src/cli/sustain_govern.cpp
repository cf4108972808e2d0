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
#include "thermal/govern_record.h"
#include "thermal/log_limit.h"
#include "thermal/policy_state.h"
#include "thermal/watchdog.h"

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
  thermal::BoardFiles files;
  thermal::GovernOptions govern;
  std::vector<double> ambient_range;
  std::string state_folder;
  std::string out;
  double seconds = 0;
  double watchdog_s = 10;
  std::vector<int> virtual_clock;
  bool verbose = false;
  bool check = false;
};

std::vector<thermal::ThermalPoint> points_of(const SustainGovernOptions& options, const thermal::Cluster& cluster) {
  std::vector<thermal::Variant> variants = variants_of(thermal::read_variants(options.variants), cluster);
  // Without a way to tell the application which variant to run there is only the first.
  if (options.files.operating_point.empty()) variants.resize(1);
  const double best = std::ranges::max(variants, {}, &thermal::Variant::accuracy).accuracy;
  if (options.govern.accuracy_floor > best) {
    throw bound_not_met("no variant reaches a mean accuracy of {} %; the best has {} %", options.govern.accuracy_floor,
                        best);
  }
  return thermal_points(cluster, variants);
}

void log_line(const std::string& text) { fmt::print(stderr, "trimtab govern: {}\n", text); }

/// Says what has changed since the last step, each kind of line no more often than LogLimit allows.
class Log {
 public:
  void step(double now_s, const thermal::Controller& controller) {
    if (!controller.foreign_write().empty()) pass(now_s, controller.foreign_write());
    if (controller.trouble() == trouble_) return;
    trouble_ = controller.trouble();
    pass(now_s, trouble_.empty() ? "all is well again" : trouble_ + "; the frequency is held low");
  }
  void pass(double now_s, const std::string& message) {
    if (const auto line = limit_.pass(now_s, message)) log_line(*line);
  }

 private:
  thermal::LogLimit limit_;
  std::string trouble_;
};

void check(const SustainGovernOptions& options, const thermal::Soc& soc, const thermal::Cluster& cluster,
           const std::vector<thermal::ThermalPoint>& points, const std::filesystem::path& state_folder) {
  const std::optional<thermal::PolicyState> earlier = thermal::read_policy_state(state_folder, options.files.policy);
  thermal::SysfsDevice(options.files, options.govern.limit_c, earlier.has_value());
  std::vector<std::string> lines = thermal::describe_settings(options.files, soc, cluster, points, options.govern);
  lines.push_back(fmt::format("watchdog: after {:g} s without a step the fallback is held", options.watchdog_s));
  lines.push_back(fmt::format("state: {}{}", (state_folder / (options.files.policy + ".state")).string(),
                              earlier ? ", left by a daemon that runs or did not end cleanly" : ""));
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  print({{{"settings", lines}, {"fallback_mhz", thermal::fallback_mhz(soc, cluster, points, options.govern)}}, text},
        options.common.json);
}

void run(const SustainGovernOptions& options, const Surroundings& around) {
  thermal::check_options(options.govern);
  const thermal::Soc soc = thermal::read_soc(options.soc);
  const thermal::Cluster& cluster = options.cluster.empty() ? soc.clusters.front() : find_cluster(soc, options.cluster);
  const std::vector<thermal::ThermalPoint> points = points_of(options, cluster);
  thermal::Controller controller(soc, cluster, points, options.govern);
  const std::filesystem::path state_folder = options.state_folder.empty()
                                                 ? thermal::default_state_folder(options.files.root)
                                                 : std::filesystem::path(options.state_folder);
  if (options.check) {
    check(options, soc, cluster, points, state_folder);
    return;
  }
  std::unique_ptr<thermal::Clock> clock;
  if (options.virtual_clock.empty()) {
    clock = std::make_unique<RealClock>(options.seconds);
  } else {
    clock = std::make_unique<VirtualClock>(options.virtual_clock, options.seconds);
  }
  const std::string& policy = options.files.policy;
  if (!std::filesystem::exists(options.files.limit())) {
    throw bad_input("{} cannot be read; --policy must name a cpufreq policy of this board",
                    options.files.limit().string());
  }
  const thermal::PolicyLock lock(state_folder, policy);
  const std::optional<thermal::PolicyState> earlier = thermal::read_policy_state(state_folder, policy);
  thermal::SysfsDevice device(options.files, options.govern.limit_c,
                              earlier && earlier->operating_point == options.files.operating_point);
  const std::string original = earlier ? earlier->original_khz : device.found_khz();
  if (earlier) {
    log_line(fmt::format("an earlier daemon did not end cleanly; scaling_max_freq was {} before it", original));
  }
  // Never above what was allowed before.
  const double fallback_khz = std::min(controller.points()[controller.fallback()].opp.mhz * 1000, std::stod(original));
  const std::string fallback = fmt::format("{:.0f}", fallback_khz);
  lock.write({original, fallback, options.files.operating_point});
  thermal::Watchdog watchdog({{options.files.limit(), fallback}},
                             std::max(options.watchdog_s, 3 * options.govern.period_s), lock.descriptor());
  end_on_signals();
  std::int64_t steps = 0;
  double rate = 0;
  Log log;
  thermal::GovernRecord record(controller.points());
  try {
    govern(controller, device, *clock, options.govern.period_s, [&](double now_s, std::size_t point) {
      if (watchdog.beat()) log.pass(now_s, "the watchdog had ended; it is started again");
      ++steps;
      rate += controller.points()[point].rate;
      log.step(now_s, controller);
      record.add(now_s, controller.reading_c(), controller.ambient_c(), point);
      if (options.verbose && steps % 20 == 0) {
        log_line(fmt::format("ambient {:.1f} degrees, {:g} MHz", controller.ambient_c(),
                             controller.points()[point].opp.mhz));
      }
    });
    device.restore(original);
  } catch (...) {
    // No clean end: the fallback stays, and with it the state file that knows the original.
    device.hold(fallback);
    throw;
  }
  lock.remove();
  const double mean = steps > 0 ? rate / static_cast<double>(steps) : 0;
  Result result;
  result.json = {{"command", "sustain govern"},       {"soc", soc.name}, {"cluster", cluster.name},
                 {"limit_c", options.govern.limit_c}, {"steps", steps},  {"ambient_c", controller.ambient_c()},
                 {"planned_rate_per_s", mean}};
  result.text = fmt::format("{} steps, ambient estimated at {:.1f} degrees, {:.2f} inferences/s planned; restored\n",
                            steps, controller.ambient_c(), mean);
  if (!options.out.empty()) result.json.update(record.to_json());
  publish(around, result, options.common.json, options.out);
}

}  // namespace

void add_sustain_govern(CLI::App& sustain, const Surroundings& around) {
  const auto options = std::make_shared<SustainGovernOptions>();
  const auto root = std::make_shared<std::string>("/sys");
  CLI::App* command = sustain.add_subcommand(
      "govern", "run the daemon that keeps a board as fast as possible below its temperature limit");
  add_soc(*command, options->soc)->required();
  add_variants_option(*command, options->variants)->required();
  add_cluster_option(*command, options->cluster);
  add_policy_option(*command, options->files.policy);
  command->add_option("--zone", options->files.zones, "thermal zones of the cluster; of several the hottest counts")
      ->capture_default_str();
  add_sysfs_root_option(*command, *root);
  command->add_option("--operating-point", options->files.operating_point,
                      "file that tells the application which variant to run; without it only the first variant runs");
  add_temperature_limit_option(*command, options->govern.limit_c);
  command->add_option("--margin", options->govern.margin_k, "kelvins that peaks stay below the limit")
      ->capture_default_str();
  add_min_accuracy_option(*command, options->govern.accuracy_floor);
  command->add_option("--interval", options->govern.period_s, "seconds between decisions")->capture_default_str();
  command
      ->add_option("--ambient-range", options->ambient_range,
                   "lowest and highest ambient temperature that are believed, in degrees Celsius")
      ->expected(2)
      ->default_str("-10 65");
  command
      ->add_option("--fallback-mhz", options->govern.fallback_mhz,
                   "frequency that is held while the sensor is not believed, and after any end that is not clean")
      ->default_str("sustainable at the highest ambient");
  add_state_folder_option(*command, options->state_folder);
  command->add_flag("--check", options->check, "print all settings and what is wrong with the board, and end");
  add_out_option(*command, options->out);
  add_duration_option(*command, options->seconds)->check(CLI::NonNegativeNumber);
  command
      ->add_option("--watchdog", options->watchdog_s,
                   "seconds without a step after which the watchdog ends the daemon and sets the fallback")
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
  command->callback([options, root, &around] {
    options->files.root = *root;
    if (!options->ambient_range.empty()) {
      options->govern.lowest_ambient_c = options->ambient_range[0];
      options->govern.highest_ambient_c = options->ambient_range[1];
    }
    run(*options, around);
  });
}

}  // namespace trimtab::cli
