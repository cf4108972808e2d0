#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/npy.h"
#include "import/onnx.h"
#include "support/command.h"

// The refusals of `trimtab scale`, word for word.
namespace trimtab {
namespace {

namespace fs = std::filesystem;

class ScaleRefuses : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              (std::string("trimtab-scale-") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    write_network("net.onnx", Relu{});
    write_network("odd.onnx", HardSwish{});
    write_network("one.onnx", Relu{}, 1);
    write_file(folder_ / "good.toml", taxonomy(std::vector<std::string>(names.begin(), names.end())));
  }
  void TearDown() override { fs::remove_all(folder_); }

  static constexpr std::array<const char*, 10> names{"disc", "ring",  "crescent", "triangle", "square",
                                                     "star", "cross", "tee",      "stripes",  "checker"};

  /// The first two are round, the rest is not.
  static std::string taxonomy(const std::vector<std::string>& classes) {
    std::string text = "levels = [\"shape\", \"kind\"]\nclasses = [";
    for (std::size_t i = 0; i < classes.size(); ++i) {
      text += "[\"" + classes[i] + "\", \"" + (i < 2 ? "round" : "other") + "\"],";
    }
    return text + "]\n";
  }

  /// A network with an output per class of synthetic:shapes.
  void write_network(const std::string& name, Operator activation, std::int64_t outputs = 10) const {
    Graph graph;
    graph.name = "net";
    const auto add = [&](const std::string& node_name, Operator op) {
      Node node{node_name, std::move(op), {graph.output}, static_cast<ValueId>(graph.values.size())};
      graph.values.push_back({node_name, infer_shape(node, {graph.output_shape()})});
      graph.output = node.output;
      graph.nodes.push_back(std::move(node));
    };
    graph.values.push_back({"input", {3, 32, 32}});
    graph.input = graph.output = 0;
    Conv conv;
    conv.weight = {{outputs, 3, 3, 3}, std::vector<float>(static_cast<std::size_t>(27 * outputs), 0.01F)};
    add("conv", conv);
    add("act", std::move(activation));
    add("mean", GlobalAveragePool{false});
    write_onnx(graph, folder_ / name);
  }

  void refused(const std::vector<std::string>& more, const std::string& words,
               const std::string& network = "net.onnx") const {
    std::vector<std::string> arguments{"scale", folder_ / network, "-o", folder_ / "out"};
    if (std::ranges::find(more, "--data") == more.end()) {
      arguments.insert(arguments.end(), {"--data", "synthetic:shapes:40"});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_refused(arguments, words);
    EXPECT_FALSE(fs::exists(folder_ / "out"));
  }

  fs::path folder_;
};

TEST_F(ScaleRefuses, TablesThatItDoesNotHave) {
  refused({"--accelerator", "abacus"}, "there is no energy table 'abacus'; known are bitblade");
  refused({"--weight-memory", "tape"}, "has no memory 'tape'");
}

TEST_F(ScaleRefuses, DeadlinesThatCannotBe) {
  for (const std::string option : {"--deadline", "--period"}) {
    for (const std::string value : {"-1", "nan", "inf"})
      refused({"--target", "stm32l4r5", option, value}, option + " is " + value + "; give milliseconds");
    refused({option, "10"}, option + " chooses the clock of a microcontroller; give one with --target");
    refused({"--target", "stm32f767", option, "10"},
            option + " needs the energy of the target, and the description of stm32f767 has no [power]");
  }
  refused({"--target", "stm32l4r5", "--deadline", "20", "--period", "10"},
          "--deadline is 20 ms and --period is 10 ms; give a deadline of at most the period");
  refused({"--target", "stm32l4r5", "--period", "10"}, "the description of stm32l4r5 has no [power.sleep]");
}

// The bound is held before any search; the nearest is a time and a clock.
TEST_F(ScaleRefuses, DeadlineThatNothingMeets) {
  const std::vector<std::string> arguments{
      "scale",    folder_ / "net.onnx", "-o",         folder_ / "out", "--data", "synthetic:shapes:40",
      "--target", "stm32l4r5",          "--deadline", "0.01"};
  expect_refused(arguments, "no clock of stm32l4r5 meets the deadline of 0.01 ms: the nearest, 120 MHz, takes an", 3);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(ScaleRefuses, RoundingsThatItDoesNotKnowOrNeed) {
  refused({"--rounding", "up"}, "--rounding: up not in");
  refused({"--rounding", "nearest", "--epochs", "1", "--train-data", "synthetic:shapes:40"},
          "--rounding works without training; with --epochs training finds the digits, so leave one of them out");
}

TEST_F(ScaleRefuses, TaxonomiesThatDoNotFit) {
  write_file(folder_ / "bad.toml", taxonomy({"disc", "ring", "disc"}));
  refused({"--taxonomy", folder_ / "bad.toml"}, "disc");
  write_file(folder_ / "bad.toml", taxonomy({"disc", "ring", "star"}));
  refused({"--taxonomy", folder_ / "bad.toml"}, "the taxonomy misses the class 'crescent'");
}

TEST_F(ScaleRefuses, OtherThings) {
  refused({"--epochs", "1"}, "--epochs needs --train-data");
  refused({"--teacher", folder_ / "net.onnx"}, "--teacher is for training; give --epochs with it");
  refused({"--levels", "breed", "--taxonomy", folder_ / "good.toml"}, "has no level 'breed'; it has shape, kind");
  refused({"--taxonomy", folder_ / "good.toml"}, "'act' (HardSwish)", "odd.onnx");
}

TEST_F(ScaleRefuses, LevelsOfOtherTasks) {
  const std::string words =
      "levels of abstraction (--taxonomy, --levels) are of classes, of which each sample has one; this is regression "
      "(one output, a number per sample)";
  refused({"--taxonomy", folder_ / "good.toml"}, words, "one.onnx");
  refused({"--levels", "2"}, words, "one.onnx");
}

TEST_F(ScaleRefuses, TasksThatDoNotFit) {
  refused({"--task", "binary"}, "sample 2 has the label 2; binary needs 0 and 1", "one.onnx");
  refused({"--task", "segmentation"}, "segmentation needs an image as output; the network makes 10 from 3x32x32");
  refused({"--threshold", "high"}, "--threshold has 'high' where a number is needed");
}

TEST_F(ScaleRefuses, WorkWithoutTheRightAnswers) {
  refused({"--unlabelled", "--epochs", "1", "--train-data", "synthetic:shapes:40"},
          "--epochs needs the right answers, and classification has none here; leave it out");
  refused({"--unlabelled", "--truncation", "8,4"},
          "--truncation needs the right answers, and classification has none here; leave it out");
}

TEST_F(ScaleRefuses, AreasUnderTheCurveOfOneClass) {
  write_npy(folder_ / "x.npy", {8, 3, 32, 32}, std::vector<float>(std::size_t{8 * 3 * 32 * 32}, 1));
  write_npy(folder_ / "y.npy", {8}, std::vector<std::int64_t>(8, 1));
  const std::string data = "npy:" + (folder_ / "x.npy").string() + "," + (folder_ / "y.npy").string();
  refused({"--data", data, "--task", "binary"},
          "ROC AUC of 4 samples is not defined: samples of both classes are needed", "one.onnx");
}

TEST_F(ScaleRefuses, PairsThatTheTableLacks) {
  refused({"--accelerator", "horowitz", "--taxonomy", folder_ / "good.toml"},
          "has no multiply-accumulate of 8 x 6 bits (weight x activation), and does not allow to interpolate");
}

}  // namespace
}  // namespace trimtab
