// Commands that write a folder, while their system calls fail or kill them. A run takes seconds, so that a few calls
// are drawn by a fixed seed; TRIMTAB_FAULTS=N draws N of each kind, and TRIMTAB_FAULTS=all takes every call.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "faulty_command.h"
#include "import/onnx.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// The files of a folder that belong to its result, without the lines that tell times.
Contents result_of(const fs::path& folder) {
  Contents result;
  std::set<std::string> owned;
  if (fs::exists(folder / ".result-files")) {
    std::istringstream names(read_text(folder / ".result-files"));
    for (std::string name; std::getline(names, name);) owned.insert(name);
  }
  for (const auto& [path, text] : contents_of(folder)) {
    const std::string first = fs::path(path).begin()->string();
    EXPECT_TRUE(first != "result.json" || owned.contains(first)) << "a result that nothing belongs to";
    if (!owned.contains(first)) continue;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("_s\":") == std::string::npos && line.find("seconds") == std::string::npos &&
          line.find("samples_per_second") == std::string::npos)
        result[path] += line + "\n";
    }
  }
  return result;
}

/// 12 filters of 3 x 3 over a ninth of the pixels, and a classifier.
Graph small_network() {
  Random random(1);
  test::GraphMaker maker({3, 32, 32});
  Conv conv = test::random_conv(3, 12, 3, 3, 1, random);
  conv.stride = {3, 3};
  const ValueId mean = maker.add(GlobalAveragePool{false}, {maker.add(Relu{}, {maker.add(conv, {0})})});
  maker.add(Linear{test::random_tensor({10, 12}, random), test::random_tensor({10}, random)}, {mean});
  return maker.graph();
}

using Words = std::vector<std::string>;

/// A command twice: the earlier result, or none, and the one that is made with faults.
struct Work {
  Words earlier;
  Words later;
  std::string program;  ///< in which the faults happen
};

class CommandFaults : public ::testing::Test {
 protected:
  CommandFaults() { write_onnx(small_network(), folder_.path() / "net.onnx"); }

  [[nodiscard]] Words on_network(const Words& before, const Words& after) const {
    Words words = before;
    words.push_back((folder_.path() / "net.onnx").string());
    for (const char* word : {"--data", "synthetic:shapes:60", "--preprocessing", "unit", "--threads", "1"})
      words.push_back(word);
    words.insert(words.end(), after.begin(), after.end());
    return words;
  }
  static Words into(const Words& words, const fs::path& out) {
    Words command{TRIMTAB_COMMAND};
    command.insert(command.end(), words.begin(), words.end());
    command.insert(command.end(), {"-o", out.string()});
    return command;
  }
  [[nodiscard]] fs::path make(const Words& words, const std::string& name) const {
    const ProcessResult result = run_process(into(words, folder_.path() / name), "");
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return folder_.path() / name;
  }

  /// The calls at which a fault happens, of `count`.
  static std::vector<int> drawn(int count, Random& random) {
    const char* wanted = std::getenv("TRIMTAB_FAULTS");
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 1);
    if (wanted != nullptr && std::string(wanted) == "all") return all;
    const int most = wanted != nullptr ? std::atoi(wanted) : 2;
    std::set<int> chosen{count};  // the last, where the new result is there already
    while (std::ssize(chosen) < std::min(most, count)) chosen.insert(static_cast<int>(random.integer(1, count)));
    return {chosen.begin(), chosen.end()};
  }

  /// Kills at calls that rename or unlink, kills and errors at any call: OUT holds the earlier result or the later one,
  /// and the same command without a fault then makes the later one.
  void storm(const Work& work) {
    const fs::path earlier = work.earlier.empty() ? fs::path() : make(work.earlier, "earlier");
    const FaultyCommand command([&](const fs::path& out) { return into(work.later, out); }, work.program);
    command.prepare(earlier);
    const int all = command.count("all");
    const Contents later = result_of(command.out());
    const Contents old = earlier.empty() ? Contents{} : result_of(earlier);
    EXPECT_FALSE(later.empty());
    EXPECT_NE(old, later);
    command.prepare(earlier);
    const int renames = command.count("rename unlink");
    Random random(20);
    int kills = 0;
    int failed_calls = 0;
    const auto attempt = [&](int at, int error, const std::string& calls) {
      const std::string what = (error == 0 ? "killed" : "error " + std::to_string(error)) + " at call " +
                               std::to_string(at) + " of " + calls + " ";
      command.prepare(earlier);
      const ProcessResult result = command.run(at, error, calls);
      const Contents found = result_of(command.out());
      EXPECT_TRUE(found == old || found == later) << what;
      command.expect_nothing_beside(what);
      ++(error == 0 ? kills : failed_calls);
      if (error == 0) return;
      // Either the command says in one line why not, or it has done its work another way.
      if (result.exit_code == 0) {
        EXPECT_EQ(found, later) << what;
      } else {
        FaultyCommand::expect_sentence(result, what);
      }
    };
    for (const int at : drawn(renames, random)) attempt(at, 0, "rename unlink");
    for (const int at : drawn(all, random)) attempt(at, 0, "all");
    if (result_of(command.out()) != later) {
      EXPECT_EQ(command.run(0, 0, "all").exit_code, 0) << "the same command once more";
      EXPECT_EQ(result_of(command.out()), later);
    }
    for (const int error : {ENOSPC, EIO}) {
      for (const int at : drawn(all, random)) attempt(at, error, "all");
    }
    RecordProperty("kills", kills);
    RecordProperty("failed_calls", failed_calls);
  }

  TemporaryDirectory folder_;
};

TEST_F(CommandFaults, Fit) {
  storm({on_network({"fit"}, {"--target", "host"}), on_network({"fit"}, {"--target", "host", "--weight-bits", "4"}),
         "trimtab-learn"});
}

TEST_F(CommandFaults, FitForTheHostOverFitForADevice) {
  if (!has_program("arm-none-eabi-g++") || !has_program("qemu-system-arm")) GTEST_SKIP() << "no emulator";
  storm({on_network({"fit"}, {"--target", "cortex-m3", "--verify", "2"}), on_network({"fit"}, {"--target", "host"}),
         "trimtab-learn"});
}

TEST_F(CommandFaults, Scale) {
  const auto words = [&](const std::string& precision) {
    return on_network({"scale"}, {"--weight-precisions", "8", precision, "--activation-precisions", "8", "--uniform",
                                  precision + "x8", "--rounding", "nearest"});
  };
  storm({words("4"), words("2"), "trimtab-learn"});
}

TEST_F(CommandFaults, Assess) {
  if (!has_program("gnuplot")) GTEST_SKIP() << "gnuplot is not installed";
  const auto words = [&](const std::string& budgets) {
    return on_network({"assess"}, {"--budgets", budgets, "--bits", "4,8", "--rounds", "60+60"});
  };
  storm({words("2000"), words("2000,4000"), "trimtab-learn"});
}

TEST_F(CommandFaults, Train) {
  storm({{}, on_network({"train"}, {"--epochs", "2", "--batch-size", "32"}), "trimtab-learn"});
}

TEST_F(CommandFaults, Package) {
  if (!has_program("arm-none-eabi-g++") || !has_program("qemu-system-arm")) GTEST_SKIP() << "no emulator";
  const std::string made = make(on_network({"fit"}, {"--target", "cortex-m3", "--verify", "2"}), "made").string();
  storm({{}, {"package", made, "--for", "platformio"}, "trimtab"});  // it never replaces a folder
}

}  // namespace
}  // namespace trimtab
