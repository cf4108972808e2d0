#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "graph/networks.h"
#include "import/onnx.h"
#include "study/study.h"
#include "support/command.h"

// The refusals of `trimtab assess` and `trimtab study`, word for word.
namespace trimtab {
namespace {

namespace fs = std::filesystem;

class assess : public testing::Test {
 protected:
  void SetUp() override { write_onnx(make_network("cifar10_quick", {3, 32, 32}, 10, 1), model()); }

  [[nodiscard]] fs::path model() const { return folder_.path() / "net.onnx"; }
  [[nodiscard]] fs::path out() const { return folder_.path() / "out"; }
  [[nodiscard]] std::vector<std::string> command(std::vector<std::string> more) const {
    std::vector<std::string> words = {"assess", model().string(), "--data", "synthetic:shapes:20",
                                      "-o",     out().string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  TemporaryDirectory folder_;
};

TEST_F(assess, options_that_are_no_rounds_bits_or_budgets) {
  expect_refused(command({"--rounds", "5000"}), "a round is RECOVERY+TRAINING");
  expect_refused(command({"--rounds", "5000+many"}), "where a whole number is needed");
  expect_refused(command({"--bits", "1-4"}), "give bits from 2 to 16");
  expect_refused(command({"--bits", "8-4"}), "give bits from 2 to 16");
  expect_refused(command({"--budgets", "33 pounds"}), "--budgets");
  expect_refused(command({"--pruning", "random"}), "uniform or importance");
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(assess, a_budget_that_nothing_can_meet) {
  // 4,650 numbers with one filter in every layer
  expect_refused(command({"--budgets", "1000", "--bits", "4,8"}), "4650 numbers", 3);
}

TEST_F(assess, data_that_are_not_there) {
  std::vector<std::string> words = command({});
  words[3] = "npy:" + (folder_.path() / "x.npy").string() + "," + (folder_.path() / "y.npy").string();
  expect_refused(words, "x.npy");
}

TEST_F(assess, a_study_of_other_data_is_not_touched) {
  expect_refused(command({"--budgets", "1000", "--bits", "4"}), "4650 numbers", 3);  // leaves a study without trials
  const std::vector<std::uint8_t> before = read_file(out() / "study.sqlite");
  std::vector<std::string> other = command({"--budgets", "1000", "--bits", "4"});
  other[3] = "synthetic:shapes:30";
  expect_refused(other, "belongs to a run with other settings");
  EXPECT_EQ(read_file(out() / "study.sqlite"), before);
}

TEST_F(assess, folders_without_a_study_and_with_a_damaged_one) {
  fs::create_directory(out());
  expect_refused({"study", out().string()}, "holds no study");
  write_file(out() / "study.sqlite", std::string(4096, 'x'));
  expect_refused({"study", out().string()}, "damaged");
  expect_refused(command({"--budgets", "1000"}), "damaged");
}

TEST_F(assess, what_a_study_holds_is_checked_and_printed_harmlessly) {
  {
    Study study(out(), {{"command", "fit"}});
    study.put_note("cost", "flash_bytes");
    const auto add = [&](int bits, const nlohmann::json& metrics, const std::string& reason) {
      const TrialSpec spec{{{"bits", bits}}, 1};
      study.add(spec, "bits");
      study.start(spec, "host:1");
      study.finish(spec, {metrics, reason, false, 1}, 3);
    };
    add(2, {{"top1", 50}, {"flash_bytes", "many"}}, "");
    add(3, {{"top1", nullptr}, {"flash_bytes", 1000}}, "");
    add(4, nullptr, "\x1b]0;title\x07 \xff");
  }
#ifdef TRIMTAB_COMMAND
  const ProcessResult text = run_process({TRIMTAB_COMMAND, "study", out().string()}, "");
  EXPECT_EQ(text.exit_code, 0) << text.errors;
  EXPECT_NE(text.output.find("\\x1b]0;title\\x07 \\xff"), std::string::npos) << text.output;
  const ProcessResult json = run_process({TRIMTAB_COMMAND, "study", out().string(), "--json", "--trials"}, "");
  EXPECT_EQ(json.exit_code, 0) << json.errors;
  EXPECT_TRUE(nlohmann::json::accept(json.output));
  expect_refused({"study", out().string(), "-o", (out() / "plots").string()}, "no finished trial");
#endif
}

TEST_F(assess, a_pipe_is_no_study) {
  fs::create_directory(out());
  ASSERT_EQ(::mkfifo((out() / "study.sqlite").c_str(), 0600), 0);
  expect_refused({"study", out().string()}, "is a pipe; a file is needed");
}

}  // namespace
}  // namespace trimtab
