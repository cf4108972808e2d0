#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/random.h"
#include "import/onnx.h"
#include "study/study.h"

// A real search by the real command, as it is and as it is after kill -9, over one process and over two ranks: every
// way has to give the same trials with the same results.
namespace trimtab {
namespace {

namespace fs = std::filesystem;

Tensor random_tensor(const Shape& shape, Random& random) {
  Tensor tensor{shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)))};
  for (float& x : tensor.data) x = static_cast<float>(0.1 * random.normal());
  return tensor;
}

void append(Graph& graph, const std::string& name, Operator op) {
  Node node{name, std::move(op), {graph.output}, static_cast<ValueId>(graph.values.size())};
  graph.values.push_back({name, infer_shape(node, {graph.output_shape()})});
  graph.output = node.output;
  graph.nodes.push_back(std::move(node));
}

/// Two convolutions and a classifier for the pictures of synthetic:shapes.
Graph tiny_network() {
  Random random(1);
  Graph graph;
  graph.name = "tiny";
  graph.values.push_back({"input", {3, 32, 32}});
  graph.input = graph.output = 0;
  Conv first;
  first.weight = random_tensor({8, 3, 5, 5}, random);
  first.bias = random_tensor({8}, random);
  first.stride = {4, 4};
  append(graph, "conv1", first);
  append(graph, "relu1", Relu{});
  Conv second;
  second.weight = random_tensor({12, 8, 3, 3}, random);
  second.bias = random_tensor({12}, random);
  append(graph, "conv2", second);
  append(graph, "relu2", Relu{});
  append(graph, "mean", GlobalAveragePool{false});
  append(graph, "classifier", Linear{random_tensor({10, 12}, random), random_tensor({10}, random)});
  return graph;
}

/// The results that must not depend on how the search ran: metrics and seeds by settings, and what was found, without
/// times.
std::map<std::string, std::string> results_of(const fs::path& out) {
  std::map<std::string, std::string> results;
  for (const Trial& trial : read_study(out).trials) {
    nlohmann::json metrics = trial.metrics;
    metrics.erase("training_s");
    results[trial.spec.key()] = name_of(trial.state) + " " + metrics.dump();
  }
  for (const char* found : {"map.json", "plan.toml"}) {
    if (fs::exists(out / found)) results[found] = read_text(out / found);
  }
  return results;
}

class study : public testing::Test {
 protected:
  void SetUp() override {
#ifndef TRIMTAB_COMMAND
    GTEST_SKIP() << "the command is not built";
#else
    if (!has_program("gnuplot")) GTEST_SKIP() << "gnuplot is not installed";
    write_onnx(tiny_network(), folder_.path() / "tiny.onnx");
    search_with("assess", {"--budgets", "2000,4000", "--bits", "4,8", "--rounds", "120+120,120+240:1"});
#endif
  }

  /// The search that the test runs: a subcommand on the tiny network, with options of its own.
  void search_with(const std::string& subcommand, const std::vector<std::string>& options) {
#ifdef TRIMTAB_COMMAND
    command_ = {TRIMTAB_COMMAND,
                subcommand,
                (folder_.path() / "tiny.onnx").string(),
                "--data",
                "synthetic:shapes:120",
                "--preprocessing",
                "unit",
                "--threads",
                "1"};
    command_.insert(command_.end(), options.begin(), options.end());
    command_.push_back("-o");
#endif
  }

  [[nodiscard]] std::vector<std::string> command_into(const fs::path& out) const {
    std::vector<std::string> command = command_;
    command.push_back(out.string());
    return command;
  }

  [[nodiscard]] fs::path out(const std::string& name) const { return folder_.path() / name; }

  void run(const fs::path& to, std::vector<std::string> before = {}) const {
    const std::vector<std::string> command = command_into(to);
    before.insert(before.end(), command.begin(), command.end());
    const ProcessResult result = run_process(before, "");
    ASSERT_EQ(result.exit_code, 0) << result.errors;
  }

  TemporaryDirectory folder_;
  std::vector<std::string> command_;
};

/// The command as a process that can be killed.
class Running {
 public:
  explicit Running(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      ::freopen("/dev/null", "w", stdout);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }

  /// Waits until the study has so many trials that are done, and one that runs. False where the command ends before.
  [[nodiscard]] bool wait_for(const fs::path& out, int done) {
    for (;;) {
      int status = 0;
      if (::waitpid(process_, &status, WNOHANG) == process_) return false;
      try {
        const std::vector<Trial> trials = read_study(out).trials;
        const auto count = [&](TrialState state) {
          return std::count_if(trials.begin(), trials.end(), [&](const Trial& trial) { return trial.state == state; });
        };
        if (count(TrialState::done) >= done && count(TrialState::running) > 0) return true;
      } catch (const Error&) {  // it is not there yet
      }
      ::poll(nullptr, 0, 1);
    }
  }

  [[nodiscard]] std::vector<pid_t> children() const {
    std::istringstream words(
        read_text("/proc/" + std::to_string(process_) + "/task/" + std::to_string(process_) + "/children"));
    std::vector<pid_t> result;
    for (pid_t child = 0; words >> child;) result.push_back(child);
    return result;
  }

  void kill() const { ::kill(process_, SIGKILL); }
  int wait() const {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t process_ = -1;
};

TEST_F(study, killed_and_continued_gives_the_same_and_repeats_no_finished_trial) {
  run(out("whole"));
  Running first(command_into(out("killed")));
  ASSERT_TRUE(first.wait_for(out("killed"), 2));
  first.kill();
  EXPECT_EQ(first.wait(), 128 + SIGKILL);
  std::map<std::int64_t, int> attempts;
  for (const Trial& trial : read_study(out("killed")).trials) {
    if (trial.state == TrialState::done) attempts[trial.id] = trial.attempts;
  }
  ASSERT_GE(attempts.size(), 2U);
  EXPECT_FALSE(fs::exists(out("killed") / "result.json"));

  run(out("killed"));
  EXPECT_EQ(results_of(out("killed")), results_of(out("whole")));
  int repeated = 0;
  for (const Trial& trial : read_study(out("killed")).trials) {
    if (attempts.contains(trial.id)) {
      EXPECT_EQ(trial.attempts, attempts.at(trial.id));
    }
    repeated += trial.attempts > 1 ? 1 : 0;
  }
  EXPECT_LE(repeated, 1);  // the one that was running
}

TEST_F(study, a_trial_whose_process_is_killed_is_handed_out_again) {
  run(out("whole"));
  Running command(command_into(out("hurt")));
  ASSERT_TRUE(command.wait_for(out("hurt"), 1));
  const std::vector<pid_t> children = command.children();
  ASSERT_EQ(children.size(), 1U);
  ::kill(children[0], SIGKILL);
  EXPECT_EQ(command.wait(), 0);
  EXPECT_EQ(results_of(out("hurt")), results_of(out("whole")));
  int deaths = 0;
  for (const Trial& trial : read_study(out("hurt")).trials) deaths += trial.deaths;
  EXPECT_EQ(deaths, 1);
}

/// `trimtab fit --search` of the same network.
class fit_study : public study {
 protected:
  void SetUp() override {
    study::SetUp();
    if (IsSkipped()) return;
    for (const char* program : {"arm-none-eabi-g++", "qemu-system-arm"}) {
      if (!has_program(program)) GTEST_SKIP() << program << " is not installed";
    }
    search_with("fit", {"--target", "stm32f412", "--search", "--weights", "800", "--flash", "128KB",
                        "--activation-bits", "8", "--widths", "1,0.6", "--epochs", "2", "--verify", "1"});
  }
};

TEST_F(fit_study, killed_or_on_two_ranks_gives_the_same_plan) {
  run(out("whole"));
  ASSERT_TRUE(fs::exists(out("whole") / "plan.toml"));
  Running first(command_into(out("killed")));
  ASSERT_TRUE(first.wait_for(out("killed"), 2));
  first.kill();
  EXPECT_EQ(first.wait(), 128 + SIGKILL);
  run(out("killed"));
  EXPECT_EQ(results_of(out("killed")), results_of(out("whole")));
  if (!has_program("mpirun")) GTEST_SKIP() << "mpirun is not installed";
  run(out("two"), {"mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2"});
  EXPECT_EQ(results_of(out("two")), results_of(out("whole")));
}

TEST_F(fit_study, weights_and_activations_share_a_bound) {
  // 1,584 weights, and a picture of 3,072 bytes that lies in the arena
  constexpr std::int64_t bound = 5000;
  search_with("fit", {"--target", "stm32f412", "--search", "--memory", std::to_string(bound), "--widths", "1",
                      "--epochs", "1", "--verify", "1"});
  ASSERT_NO_FATAL_FAILURE(run(out("shared")));
  const nlohmann::json result = nlohmann::json::parse(read_text(out("shared") / "result.json"));
  const std::int64_t weights = result.at("weights_bytes");
  const std::int64_t arena = result.at("arena_bytes");
  EXPECT_LE(weights + arena, bound);
  EXPECT_GT(weights + arena, bound - 300);  // all that the widths of the bits leave
  EXPECT_LT(weights, 1584);
}

TEST_F(study, bits_without_a_restricted_family_give_a_map_and_a_plan_that_fits) {
  search_with("assess", {"--budgets", "8000", "--bits", "4", "--rounds", "120+120"});
  ASSERT_NO_FATAL_FAILURE(run(out("four")));
  EXPECT_TRUE(fs::exists(out("four") / "map.svg"));
  EXPECT_TRUE(fs::exists(out("four") / "plan-8000.toml"));
  const nlohmann::json budget = nlohmann::json::parse(read_text(out("four") / "result.json")).at("budgets").at(0);
  const std::int64_t weights = budget.at("deployable").at("weights_bytes");
  const std::int64_t arena = budget.at("deployable").at("arena_bytes");
  EXPECT_LE(weights + arena, 8000);
}

TEST_F(study, two_ranks_give_what_one_process_gives) {
  if (!has_program("mpirun")) GTEST_SKIP() << "mpirun is not installed";
  run(out("one"));
  run(out("two"), {"mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2"});
  EXPECT_EQ(results_of(out("two")), results_of(out("one")));
  std::map<std::string, int> owners;
  for (const Trial& trial : read_study(out("two")).trials) ++owners[trial.owner];
  EXPECT_EQ(owners.size(), 2U);
}

}  // namespace
}  // namespace trimtab
