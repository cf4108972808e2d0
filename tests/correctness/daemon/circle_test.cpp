// The whole circle, all of it real processes: `train` and `scale` make a program for a Cortex-A72, `variants` tells
// what its operating points take, `govern` chooses point and frequency, and classify, the emitted program, runs in the
// emulator with the point that it is told. This process is the board, with a clock of its own.
// scripts/results-circle runs it with a network of its own: TRIMTAB_CIRCLE is a folder with out/ (of `scale`), net.csv
// (of `variants`) and data/ (of `data`), TRIMTAB_CIRCLE_LABEL_OFFSET what the network adds to a label.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/process.h"
#include "data/npy.h"
#include "support/daemon_process.h"
#include "thermal/plan.h"

namespace trimtab::thermal {
namespace {

void run(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{TRIMTAB_COMMAND};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const ProcessResult result = run_process(command, "build trimtab");
  ASSERT_EQ(result.exit_code, 0) << arguments.front() << ": " << result.errors;
}

/// classify in the emulator, in a loop over the samples. It cannot run ahead: its pipe holds a single answer.
class Classifier {
 public:
  Classifier(const std::filesystem::path& program, const std::filesystem::path& point_file,
             const std::filesystem::path& samples) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_DIRECT | O_CLOEXEC) != 0 || ::fcntl(ends[1], F_SETPIPE_SZ, 4096) < 0)
      throw failure("no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::execlp("qemu-aarch64", "qemu-aarch64", program.c_str(), "--loop", "--point-file", point_file.c_str(),
               samples.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    answers_ = ends[0];
  }
  ~Classifier() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(answers_);
  }
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;
  Classifier(Classifier&&) = delete;
  Classifier& operator=(Classifier&&) = delete;

  struct Answer {
    std::size_t sample = 0;
    std::int64_t answer = -1;
    int point = -1;
  };
  /// Waits for the next answer.
  Answer next() {
    std::array<char, 4096> line{};
    const ssize_t count = ::read(answers_, line.data(), line.size() - 1);
    if (count <= 0) throw failure("the program has ended");
    std::istringstream fields(std::string(line.data(), static_cast<std::size_t>(count)));
    Answer answer;
    std::string field;
    std::getline(fields, field, '\t');
    std::getline(fields, field, '\t');
    answer.sample = std::stoul(field);
    std::getline(fields, field, '\t');
    answer.answer = std::stol(field);
    std::getline(fields, field, '\t');
    std::getline(fields, field, '\t');
    answer.point = std::stoi(field);
    return answer;
  }

 private:
  pid_t pid_ = -1;
  int answers_ = -1;
};

/// What the program really did while the board had settled at one ambient temperature.
struct Phase {
  double seconds = 0;
  double answers = 0;
  double right = 0;
};

constexpr double hot_c = 50;
constexpr double margin_k =
    0.5;  ///< that the daemon keeps from the limit; its default of 2 would be a sixth of the headroom here
constexpr double settled_after_s = 1000;

/// A trained network with two operating points on a Cortex-A72, the table of its variants, and its test samples.
class Circle : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* const given = std::getenv("TRIMTAB_CIRCLE")) {
      folder_ = given;
      settled_s_ = 2000;  // that accuracy is told to a fraction of a point
    } else {
      make();
    }
    const NpyArray pixels = read_npy(folder_ / "data" / "x.npy");
    write_file(samples_.path() / "samples", rows_first(pixels));
    labels_ = std::get<std::vector<std::int64_t>>(read_npy(folder_ / "data" / "y.npy").data);
    if (const char* const offset = std::getenv("TRIMTAB_CIRCLE_LABEL_OFFSET")) {
      for (std::int64_t& label : labels_) label += std::atoll(offset);
    }
    points_ = thermal_points(cluster_, read_variants(path("net.csv")));
  }

  /// A network of its own.
  void make() {
    folder_ = made_.path();
    constexpr const char* shapes = "synthetic:shapes:500";
    run({"train", "--net", "resnet8:0.5", "--data", "synthetic:shapes:1500", "--epochs", "6", "--batch-size", "16",
         "--crop", "0", "--threads", "1", "-o", path("float")});
    run({"scale",      path("float") + "/model.onnx",
         "--data",     shapes,
         "--uniform",  "3x4",
         "--points",   "1",
         "--rounding", "nearest",
         "--polish",   "0",
         "--target",   "cortex-a72",
         "--verify",   "1",
         "--threads",  "1",
         "-o",         path("out")});
    // One answer of the emulator stands for many of the board, which would give hundreds a second.
    run({"variants", path("out"), "--soc", soc_file, "--cluster", "a72", "--instructions-per-cycle", "0.01", "-o",
         path("net.csv")});
    run({"data", shapes, "-o", path("data")});
    // `scale` judges its points on half of the samples; the program runs on all of them.
    std::vector<Variant> variants = read_variants(path("net.csv"));
    std::string table = "variant,cores,gcycles,fixed_ms,mj_per_v2,accuracy\n";
    for (Variant& variant : variants) {
      const ProcessResult result = run_process(
          {TRIMTAB_COMMAND, "eval", path("out"), "--data", shapes, "--point", variant.name, "--json"}, "build trimtab");
      variant.accuracy = nlohmann::json::parse(result.output).at("top1").get<double>();
      table += fmt::format("{},{},{},{},{},{}\n", variant.name, variant.cores, variant.gcycles, variant.fixed_s * 1e3,
                           variant.joule_per_v2 * 1e3, variant.accuracy);
    }
    write_file(path("net.csv"), table);
  }

  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }

  /// Height, width, channels of every sample, as the program reads them.
  static std::vector<std::uint8_t> rows_first(const NpyArray& pixels) {
    const auto& data = std::get<std::vector<std::uint8_t>>(pixels.data);
    const auto channels = static_cast<std::size_t>(pixels.shape[1]);
    const auto plane = static_cast<std::size_t>(pixels.shape[2] * pixels.shape[3]);
    std::vector<std::uint8_t> bytes(data.size());
    for (std::size_t i = 0; i < data.size(); ++i) {
      const std::size_t sample = i / (channels * plane);
      const std::size_t channel = i / plane % channels;
      bytes[sample * channels * plane + i % plane * channels + channel] = data[i];
    }
    return bytes;
  }

  TemporaryDirectory made_;
  TemporaryDirectory samples_;
  std::filesystem::path folder_;
  double settled_s_ = 250;
  std::string soc_file = source("targets/socs/rk3399.toml");
  Soc soc_ = read_soc(soc_file);
  Cluster cluster_ = find_cluster(soc_, "a72");
  std::vector<ThermalPoint> points_;
  std::vector<std::int64_t> labels_;
};

TEST_F(Circle, DeliversWhatThePlanPromises) {
  double best = 0;
  double least = 100;
  for (const ThermalPoint& point : points_) {
    best = std::max(best, point.accuracy);
    least = std::min(least, point.accuracy);
  }
  ASSERT_GT(best, least + 2);  // else there is nothing to choose between
  const double floor = (best + least) / 2;
  const double phase_s = settled_after_s + settled_s_;

  const std::vector<double> ambients{25, 28, 31};
  FakeBoard::Faults faults;
  faults.noise_k = 0.1;
  faults.dropouts = faults.lies = faults.stuck_fan = faults.wrong_model = false;
  faults.schedule_c = ambients;
  faults.schedule_step_s = phase_s;
  FakeBoard board(soc_, cluster_, points_, phase_s * static_cast<double>(ambients.size()) / 3600, faults);
  Daemon daemon(board, {soc_file, "--cluster", "a72", "--variants", path("net.csv"), "--temperature-limit",
                        fmt::format("{}", hot_c), "--margin", fmt::format("{}", margin_k), "--min-accuracy",
                        fmt::format("{}", floor)});
  daemon.run(5);
  auto classifier = std::make_unique<Classifier>(folder_ / "out" / "device" / "classify", board.variant_file(),
                                                 samples_.path() / "samples");
  std::vector<Phase> phases(ambients.size());
  std::vector<std::size_t> at_point(2);
  double due = 0;
  board.on_run = [&](const ThermalPoint& point, double seconds) {
    const double now = board.now_s() - 1e-6;
    const auto phase = std::min(static_cast<std::size_t>(now / phase_s), phases.size() - 1);
    const bool settled = now - static_cast<double>(phase) * phase_s > settled_after_s;
    if (!settled) return;
    phases[phase].seconds += seconds;
    for (due += point.rate * seconds; due >= 1; due -= 1) {
      const Classifier::Answer answer = classifier->next();
      ++at_point.at(static_cast<std::size_t>(answer.point));
      phases[phase].answers += 1;
      if (answer.answer == labels_.at(answer.sample)) phases[phase].right += 1;
    }
  };
  daemon.wake();
  daemon.run(1e9);
  classifier.reset();  // the daemon's watchdog is waited for as the last child
  daemon.close_clock();
  EXPECT_EQ(daemon.wait(), 0) << daemon.log();
  Daemon::wait_for_watchdog();

  EXPECT_LE(board.worst(), hot_c + 1);
  EXPECT_GT(at_point[0], 100U);  // the program was told to change its point, and did
  EXPECT_GT(at_point[1], 100U);
  double answers = 0;
  double right = 0;
  for (std::size_t i = 0; i < ambients.size(); ++i) {
    PlanRequest request;
    request.ambient_c = ambients[i];
    request.limit_c = hot_c - margin_k;
    request.accuracy_floor = floor;
    const SustainedPlan plan = make_plan(soc_, cluster_, points_, request);
    const double rate = phases[i].answers / phases[i].seconds;
    fmt::print(
        "{} degrees around it: {:.3f} inferences/s, {:.3f} planned ({:+.1f} %); {:.2f} % right, {:.2f} % planned\n",
        ambients[i], rate, plan.rate, 100 * (rate / plan.rate - 1), 100 * phases[i].right / phases[i].answers,
        plan.accuracy);
    EXPECT_NEAR(rate / plan.rate, 1, 0.03) << ambients[i];
    answers += phases[i].answers;
    right += phases[i].right;
  }
  fmt::print("peak {:.2f} degrees, limit {}; {} and {} answers at the two points; {:.2f} % right, floor {:.2f} %\n",
             board.worst(), hot_c, at_point[0], at_point[1], 100 * right / answers, floor);
  // A few hundred answers a phase tell the accuracy to about half a point.
  EXPECT_NEAR(100 * right / answers, floor, settled_s_ > 1000 ? 0.3 : 1.0);
}

}  // namespace
}  // namespace trimtab::thermal
