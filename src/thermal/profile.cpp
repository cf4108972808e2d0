#include "thermal/profile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "thermal/sysfs.h"
#include "thermal/table.h"
#include "thermal/watchdog.h"

namespace trimtab::thermal {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// A program in a process group of its own whose standard output we read; ends with it.
class Child {
 public:
  explicit Child(const std::vector<std::string>& command) {
    std::array<int, 2> ends{};
    std::array<int, 2> trouble{};  // the reason why it could not be started; closed by a successful exec
    if (::pipe2(ends.data(), O_CLOEXEC) != 0 || ::pipe2(trouble.data(), O_CLOEXEC) != 0) {
      throw failure("no pipe can be made: {}", std::strerror(errno));
    }
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::dup2(ends[1], STDOUT_FILENO);
      ::execvp(arguments[0], arguments.data());
      const int reason = errno;
      if (::write(trouble[1], &reason, sizeof reason) < 0) ::_exit(126);
      ::_exit(127);
    }
    ::close(ends[1]);
    ::close(trouble[1]);
    out_ = ends[0];
    int reason = pid_ < 0 ? errno : 0;
    if (pid_ > 0 && ::read(trouble[0], &reason, sizeof reason) < 0) reason = errno;
    ::close(trouble[0]);
    if (reason != 0) {
      if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
      ::close(out_);
      throw bad_input("{} cannot be started: {}", command[0], std::strerror(reason));
    }
  }
  ~Child() {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(out_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child(Child&&) = delete;
  Child& operator=(Child&&) = delete;

  /// Lines that came within `milliseconds`; negative when the program has ended.
  int lines(int milliseconds) {
    pollfd polled{out_, POLLIN, 0};
    if (::poll(&polled, 1, milliseconds) <= 0) return 0;
    std::array<char, 4096> block{};
    const ssize_t count = ::read(out_, block.data(), block.size());
    if (count <= 0) return count < 0 && errno == EINTR ? 0 : -1;
    return static_cast<int>(std::count(block.data(), block.data() + count, '\n'));
  }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
};

/// Holds one frequency and puts the old limits back.
class Frequency {
 public:
  explicit Frequency(const std::filesystem::path& policy)
      : low_path_(policy / "scaling_min_freq"), high_path_(policy / "scaling_max_freq") {
    const auto low = read_attribute(low_path_);
    const auto high = read_attribute(high_path_);
    if (!low || !high) {
      throw bad_input(
          "{} is no cpufreq policy of this board; --policy must name one, `trimtab sustain doctor` lists them",
          policy.string());
    }
    low_ = *low;
    high_ = *high;
  }
  ~Frequency() {
    try {
      write_attribute(low_path_, low_);
      write_attribute(high_path_, high_);
      write_attribute(low_path_, low_);
    } catch (...) {  // nothing is left to try
    }
  }
  Frequency(const Frequency&) = delete;
  Frequency& operator=(const Frequency&) = delete;
  Frequency(Frequency&&) = delete;
  Frequency& operator=(Frequency&&) = delete;
  void set(double mhz) {
    const std::string khz = fmt::format("{:.0f}", mhz * 1000);
    // The kernel refuses a minimum above the maximum: lower first, then both.
    write_attribute(low_path_, low_);
    write_attribute(high_path_, khz);
    write_attribute(low_path_, khz);
  }
  [[nodiscard]] std::vector<Watchdog::Write> restore() const { return {{low_path_, low_}, {high_path_, high_}}; }

 private:
  std::filesystem::path low_path_;
  std::filesystem::path high_path_;
  std::string low_;
  std::string high_;
};

}  // namespace

Profile profile(const std::vector<std::string>& command, const ProfileOptions& options,
                const std::filesystem::path& output) {
  if (command.empty()) throw bad_input("there is no program to profile; give it after --");
  const BoardView board = look_at_board(options.root);
  const std::filesystem::path policy_path = options.root / "devices/system/cpu/cpufreq" / options.policy;
  Frequency frequency(policy_path);
  std::vector<double> visits = options.mhz;
  for (const CpuPolicy& policy : board.policies) {
    if (policy.path != policy_path || !visits.empty()) continue;
    visits = policy.mhz.size() >= 2 ? std::vector<double>{policy.mhz.front(), policy.mhz.back()}
                                    : std::vector<double>{policy.min_mhz, policy.max_mhz};
  }
  if (visits.size() < 2)
    throw bad_input("{} frequency is too few to tell cycles from memory time; give 2 or more", visits.size());
  make_directory(output);
  Watchdog watchdog(frequency.restore(), 60);

  Profile result;
  std::string latency = "program,mhz,latency_s\n";
  const std::string program = std::filesystem::path(command[0]).filename().string();
  for (const double mhz : visits) {
    frequency.set(mhz);
    std::string series = fmt::format("time_s,{}_MHz", options.prefix);
    for (const ThermalZone& zone : board.zones) series += "," + zone.name + "_C";
    for (const Sensor& sensor : board.powers) series += "," + sensor.chip + "_" + sensor.name + "_W";
    for (const Sensor& sensor : board.fans) series += "," + sensor.chip + "_" + sensor.name + "_rpm";
    if (options.ambient_c > -273) series += ",ambient_C";
    series += "\n";
    std::vector<double> gaps;
    std::vector<double> actual_mhz;
    const auto start = SteadyClock::now();
    double next_sample = 0;
    while (seconds_since(start) < options.seconds) {
      Child child(command);
      double last = -1;
      bool any = false;
      while (seconds_since(start) < options.seconds) {
        watchdog.beat();
        const int lines = child.lines(static_cast<int>(options.sample_s * 200) + 1);
        const double now = seconds_since(start);
        if (lines > 0) {
          any = true;
          if (last >= 0) gaps.insert(gaps.end(), static_cast<std::size_t>(lines), (now - last) / lines);
          last = now;
          result.inferences += lines;
        }
        if (now >= next_sample) {
          const BoardView view = look_at_board(options.root);
          const auto actual = read_attribute(policy_path / "scaling_cur_freq");
          actual_mhz.push_back(actual ? std::strtod(actual->c_str(), nullptr) / 1000 : mhz);
          series += fmt::format("{:.3f},{:g}", now, actual_mhz.back());
          for (const ThermalZone& zone : view.zones)
            series += zone.celsius ? fmt::format(",{:.3f}", *zone.celsius) : ",";
          for (const Sensor& sensor : view.powers) series += fmt::format(",{:.4f}", sensor.value);
          for (const Sensor& sensor : view.fans) series += fmt::format(",{:.0f}", sensor.value);
          if (options.ambient_c > -273) series += fmt::format(",{:.2f}", options.ambient_c);
          series += "\n";
          next_sample = now + options.sample_s;
        }
        if (lines < 0) break;
      }
      if (!any) {
        throw bad_input(
            "{} ended or ran {:g} s at {:g} MHz without printing a line; it must print one line per inference", program,
            options.seconds, mhz);
      }
    }
    if (std::abs(median(actual_mhz) / mhz - 1) > 0.05) {
      throw bad_input(
          "{} runs at {:g} MHz where {:g} were asked for; something else holds it there: thermal throttling (cool the "
          "board, or shorten --seconds) or a frequency that it does not have",
          options.policy, median(actual_mhz), mhz);
    }
    if (gaps.empty())
      throw bad_input("{} printed one line only at {:g} MHz; two inferences are the least", program, mhz);
    latency += fmt::format("{},{:g},{:.6f}\n", program, mhz, median(gaps));
    result.files.push_back(output / fmt::format("{}-{:g}MHz.csv", options.prefix, mhz));
    write_file(result.files.back(), series);
  }
  result.files.push_back(output / "latency.csv");
  write_file(result.files.back(), latency);
  return result;
}

}  // namespace trimtab::thermal
