#include "learn/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <numbers>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "support/graphs.h"

namespace trimtab {
namespace {

using test::GraphMaker;
using test::random_conv;
using test::random_normalization;
using test::random_tensor;
using ::testing::HasSubstr;

/// Small pictures: class 0 is brighter on the left, class 1 on the right, class 2 in the middle.
Dataset stripes(std::int64_t count, std::uint64_t seed) {
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = {2, 6, 6};
  data.classes = {"left", "right", "middle"};
  Random random(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = random.integer(0, 2);
    data.labels.push_back(label);
    for (std::int64_t k = 0; k < 72; ++k) {
      const std::int64_t column = k % 6;
      const bool bright = label == 0 ? column < 2 : label == 1 ? column > 3 : column == 2 || column == 3;
      values.push_back(static_cast<std::uint8_t>(random.integer(0, 120) + (bright ? 100 : 0)));
    }
  }
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

/// With what training changes: weights, biases, BatchNormalization; depthwise too.
Graph small_network() {
  Random random(3);
  GraphMaker maker({2, 6, 6});
  Conv first = random_conv(2, 4, 3, 3, 1, random);
  first.padding = {1, 1, 1, 1};
  Conv second = random_conv(4, 4, 3, 3, 4, random);
  second.bias = {};
  const ValueId a = maker.add(Relu{}, {maker.add(random_normalization(4, random), {maker.add(first, {0})})});
  const ValueId b = maker.add(Relu{}, {maker.add(random_normalization(4, random), {maker.add(second, {a})})});
  const ValueId flat = maker.add(Reshape{{64}}, {b});
  maker.add(Softmax{},
            {maker.add(Linear{random_tensor({3, 64}, random, -0.1, 0.1), random_tensor({3}, random)}, {flat})});
  return maker.graph();
}

const Preprocessing unit{{100, 100}, {60, 60}};

TrainOptions small_options() {
  TrainOptions options;
  options.epochs = 3;
  options.batch_size = 16;
  options.learning_rate = 0.05;
  options.average_decay = 0.9;
  options.label_smoothing = 0.1;
  options.mixup = 0.2;
  options.augmentation.crop_rows = 1;
  options.augmentation.cutout = 2;
  options.threads = 1;
  options.device = "cpu";
  return options;
}

/// Every parameter of a graph, one after the other.
std::vector<float> parameters(const Graph& graph) {
  std::vector<float> result;
  const auto add = [&](const Tensor& tensor) { result.insert(result.end(), tensor.data.begin(), tensor.data.end()); };
  for (const Node& node : graph.nodes) {
    std::visit(overloaded{[&](const Conv& op) {
                            add(op.weight);
                            add(op.bias);
                          },
                          [&](const Linear& op) {
                            add(op.weight);
                            add(op.bias);
                          },
                          [&](const BatchNormalization& op) {
                            add(op.scale);
                            add(op.bias);
                            add(op.mean);
                            add(op.variance);
                          },
                          [](const auto&) {}},
               node.op);
  }
  return result;
}

TEST(Train, LearnsWhatCanBeLearnt) {
  const Dataset train_data = stripes(400, 1);
  const Dataset test_data = stripes(200, 2);
  TrainOptions options = small_options();
  options.mixup = 0;
  options.augmentation = {};
  options.epochs = 4;
  const TrainResult result = train(small_network(), train_data, test_data, unit, options);
  ASSERT_EQ(result.history.size(), 4U);
  EXPECT_GE(result.history.back().tests.at(0).at(Measure::top1), 97);
  EXPECT_LT(result.history.back().train_loss, result.history.front().train_loss);
  const Score again = evaluate(result.graph, test_data, unit, {64, 1, "cpu"});
  EXPECT_DOUBLE_EQ(again.at(Measure::top1), result.history.back().tests.at(0).at(Measure::top1));
  EXPECT_NEAR(again.at(Measure::loss), result.history.back().tests.at(0).at(Measure::loss), 1e-5);
}

/// Rounding to 8 significant bits moves the parameters by a small part of what training moves them.
TEST(Train, TakesNearlyTheSameStepsInBfloat16) {
  const Dataset data = stripes(160, 1);
  TrainOptions options = small_options();
  options.epochs = 1;
  options.learning_rate = 0.02;
  const std::vector<float> before = parameters(small_network());
  const std::vector<float> single = parameters(train(small_network(), data, {}, unit, options).graph);
  options.bfloat16 = true;
  const std::vector<float> half = parameters(train(small_network(), data, {}, unit, options).graph);
  double moved = 0;
  double apart = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    moved += std::pow(static_cast<double>(single[i] - before[i]), 2);
    apart += std::pow(static_cast<double>(half[i] - single[i]), 2);
  }
  EXPECT_GT(apart, 0);
  EXPECT_LT(std::sqrt(apart), 0.05 * std::sqrt(moved));
}

/// One Linear on one batch that holds all samples: each step is the closed form of softmax regression with label
/// smoothing, Nesterov's momentum, weight decay and the cosine.
TEST(Train, TakesTheStepsThatTheBooksDescribe) {
  Dataset data;
  data.shape = {2};
  data.features = {{0.5F, -1, 2, 0.25F, -0.75F, 1.5F}, 2};
  data.labels = {0, 1, 1};
  data.classes = {"a", "b"};
  GraphMaker maker({2});
  maker.add(Linear{{{2, 2}, {0.1F, -0.2F, 0.3F, 0.4F}}, {{2}, {0.05F, -0.05F}}}, {0});
  TrainOptions options;
  options.epochs = 5;
  options.batch_size = 8;
  options.learning_rate = 0.3;
  options.warmup_epochs = 2;
  options.weight_decay = 0.01;
  options.label_smoothing = 0.2;
  options.average_decay = 0;
  options.threads = 1;
  options.device = "cpu";
  const TrainResult result = train(maker.graph(), data, {}, {}, options);

  std::vector<double> p{0.1F, -0.2F, 0.3F, 0.4F, 0.05F, -0.05F};  // W row by row, then b
  std::vector<double> velocity(6, 0.0);
  for (int step = 0; step < 5; ++step) {
    std::vector<double> gradient(6, 0.0);
    for (std::size_t i = 0; i < 3; ++i) {
      const double x = static_cast<double>(data.features[i][0]);
      const double y = static_cast<double>(data.features[i][1]);
      const double difference = p[2] * x + p[3] * y + p[5] - (p[0] * x + p[1] * y + p[4]);
      const double probability = 1 / (1 + std::exp(-difference));  // of class 1
      const double target = data.labels[i] == 1 ? 0.9 : 0.1;
      const double error = (probability - target) / 3;
      for (const int c : {0, 1}) {
        const double signed_error = c == 1 ? error : -error;
        gradient[static_cast<std::size_t>(2 * c)] += signed_error * x;
        gradient[static_cast<std::size_t>(2 * c + 1)] += signed_error * y;
        gradient[static_cast<std::size_t>(4 + c)] += signed_error;
      }
    }
    const double rate = step < 2 ? 0.3 * (step + 1) / 2 : 0.15 * (1 + std::cos(std::numbers::pi * (step - 2) / 3));
    for (std::size_t k = 0; k < 6; ++k) {
      const double g = gradient[k] + (k < 4 ? 0.01 * p[k] : 0);
      velocity[k] = 0.9 * velocity[k] + g;
      p[k] -= rate * (g + 0.9 * velocity[k]);
    }
    EXPECT_NEAR(result.history[static_cast<std::size_t>(step)].learning_rate, rate, 1e-12);
  }
  const std::vector<float> learnt = parameters(result.graph);
  for (std::size_t k = 0; k < 6; ++k) EXPECT_NEAR(static_cast<double>(learnt[k]), p[k], 1e-5) << k;
}

/// Without BatchNormalization, whose batch statistics would make a difference, student and teacher say the same.
TEST(Train, LearnsNothingFromATeacherThatIsTheSame) {
  Random random(4);
  GraphMaker maker({2, 6, 6});
  const ValueId flat = maker.add(Reshape{{72}}, {0});
  maker.add(Linear{random_tensor({3, 72}, random), random_tensor({3}, random)}, {flat});
  TrainOptions options = small_options();
  options.teacher = std::make_shared<Graph>(maker.graph());
  options.distillation_weight = 1;
  options.weight_decay = 0;
  options.average_decay = 0;
  options.learning_rate = 1;
  const std::vector<float> before = parameters(maker.graph());
  const std::vector<float> after = parameters(train(maker.graph(), stripes(32, 1), {}, unit, options).graph);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-5F);
}

TEST(Train, FollowsATeacher) {
  const Dataset data = stripes(300, 1);
  TrainOptions options = small_options();
  options.mixup = 0;
  const TrainResult teacher = train(small_network(), data, {}, unit, options);
  Dataset mislabelled = data;
  for (std::int64_t& label : mislabelled.labels) label = 0;
  options.teacher = std::make_shared<Graph>(teacher.graph);
  options.distillation_weight = 1;  // the labels count for nothing
  options.epochs = 6;
  const TrainResult student = train(small_network(), mislabelled, data, unit, options);
  EXPECT_GE(student.history.back().tests.at(0).at(Measure::top1), 90);
}

TEST(Train, GivesTheSameNumbersForTheSameSeed) {
  const Dataset data = stripes(100, 1);
  TrainOptions options = small_options();
  const std::vector<float> first = parameters(train(small_network(), data, {}, unit, options).graph);
  EXPECT_EQ(parameters(train(small_network(), data, {}, unit, options).graph), first);
  options.seed = 2;
  EXPECT_NE(parameters(train(small_network(), data, {}, unit, options).graph), first);
}

// A process of its own trains and kills itself without warning; see the next test.
TEST(Train, DISABLED_DiesInTheMiddle) {
  TrainOptions options = small_options();
  options.checkpoint = std::getenv("TRIMTAB_TEST_CHECKPOINT");
  options.checkpoint_seconds = std::stod(std::getenv("TRIMTAB_TEST_SECONDS"));
  options.after_step = [](std::int64_t step) {
    if (step == 10) ::kill(::getpid(), SIGKILL);
  };
  static_cast<void>(train(small_network(), stripes(100, 1), stripes(20, 2), unit, options));
}

/// 6 steps in an epoch; killed after step 10: with a checkpoint of that very step, or of the epoch's end only.
TEST(Train, ContinuesBitForBitAfterAKill) {
  const Dataset data = stripes(100, 1);
  const Dataset test_data = stripes(20, 2);
  TrainOptions options = small_options();
  const TrainResult whole = train(small_network(), data, test_data, unit, options);
  for (const std::string seconds : {"0", "1e9"}) {
    const TemporaryDirectory folder;
    options.checkpoint = folder.path() / "checkpoint.pt";
    options.log = folder.path() / "log.csv";
    const ProcessResult killed =
        run_process({"env", "TRIMTAB_TEST_CHECKPOINT=" + options.checkpoint.string(), "TRIMTAB_TEST_SECONDS=" + seconds,
                     std::filesystem::read_symlink("/proc/self/exe").string(),
                     "--gtest_filter=Train.DISABLED_DiesInTheMiddle", "--gtest_also_run_disabled_tests"},
                    "");
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.output << killed.errors;
    ASSERT_TRUE(std::filesystem::exists(options.checkpoint));
    std::int64_t first_step = 0;
    options.after_step = [&](std::int64_t step) {
      if (first_step == 0) first_step = step;
    };
    const TrainResult continued = train(small_network(), data, test_data, unit, options);
    EXPECT_EQ(first_step, seconds == "0" ? 11 : 7);
    EXPECT_EQ(parameters(continued.graph), parameters(whole.graph));
    ASSERT_EQ(continued.history.size(), whole.history.size());
    for (std::size_t i = 0; i < whole.history.size(); ++i) {
      EXPECT_EQ(continued.history[i].train_loss, whole.history[i].train_loss);
      EXPECT_EQ(continued.history[i].train_top1, whole.history[i].train_top1);
      EXPECT_EQ(continued.history[i].tests.at(0).at(Measure::loss), whole.history[i].tests.at(0).at(Measure::loss));
    }
    EXPECT_EQ(std::ranges::count(read_text(options.log), '\n'), 4);
  }
}

TEST(Train, StopsWithACheckpointWhenInterrupted) {
  const TemporaryDirectory folder;
  const Dataset data = stripes(100, 1);
  TrainOptions options = small_options();
  const std::vector<float> whole = parameters(train(small_network(), data, {}, unit, options).graph);
  std::atomic<bool> interrupted{true};
  options.interrupted = &interrupted;
  options.checkpoint = folder.path() / "checkpoint.pt";
  EXPECT_THROW(static_cast<void>(train(small_network(), data, {}, unit, options)), Error);
  interrupted = false;
  EXPECT_EQ(parameters(train(small_network(), data, {}, unit, options).graph), whole);
}

std::string complaint(const Dataset& data, const TrainOptions& options) {
  try {
    static_cast<void>(train(small_network(), data, {}, unit, options));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "";
}

TEST(Train, NamesWhatDiffersFromTheCheckpoint) {
  const TemporaryDirectory folder;
  const Dataset data = stripes(64, 1);
  TrainOptions options = small_options();
  options.epochs = 1;
  options.checkpoint = folder.path() / "checkpoint.pt";
  EXPECT_EQ(complaint(data, options), "");
  EXPECT_THAT(complaint(stripes(64, 2), options), HasSubstr("data is"));
  options.epochs = 2;
  options.learning_rate = 0.5;
  const std::string text = complaint(data, options);
  EXPECT_THAT(text, HasSubstr("epochs is 1 there and 2 here"));
  EXPECT_THAT(text, HasSubstr("learning_rate is 0.05 there and 0.5 here"));
  EXPECT_THAT(text, Not(HasSubstr("momentum")));
}

TEST(Train, RefusesDamagedCheckpoints) {
  const TemporaryDirectory folder;
  const Dataset data = stripes(64, 1);
  TrainOptions options = small_options();
  options.epochs = 1;
  options.checkpoint = folder.path() / "checkpoint.pt";
  EXPECT_EQ(complaint(data, options), "");
  std::vector<std::uint8_t> bytes = read_file(options.checkpoint);
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, bytes.size() / 2, bytes.size() - 1}) {
    write_file(options.checkpoint, std::span(bytes).first(size));
    EXPECT_THAT(complaint(data, options), HasSubstr("damaged")) << size;
  }
  Random random(3);
  for (int change = 0; change < 20; ++change) {  // in the weights, too, where libtorch sees nothing
    std::vector<std::uint8_t> damaged = bytes;
    std::uint8_t& byte = damaged.at(static_cast<std::size_t>(random.integer(0, std::ssize(bytes) - 1)));
    byte = static_cast<std::uint8_t>(byte ^ 1U);
    write_file(options.checkpoint, damaged);
    EXPECT_THAT(complaint(data, options), HasSubstr("remove it to train anew")) << change;
    EXPECT_EQ(read_file(options.checkpoint), damaged) << "it is not trained over";
  }
}

TEST(Train, NumbersThatAreNoneAreAFailure) {
  const Dataset data = stripes(64, 1);
  TrainOptions options = small_options();
  options.epochs = 1;
  options.learning_rate = 1e30;
  for (const Dataset& test : {Dataset{}, data}) {
    try {
      static_cast<void>(train(small_network(), data, test, unit, options));
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::failure) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("not"));
    }
  }
}

TEST(Train, RefusesOptionsOutOfRange) {
  const Dataset data = stripes(32, 1);
  const auto with = [&](auto change) {
    TrainOptions options = small_options();
    change(options);
    return complaint(data, options);
  };
  EXPECT_THAT(with([](TrainOptions& o) { o.epochs = 0; }), HasSubstr("epochs"));
  EXPECT_THAT(with([](TrainOptions& o) { o.batch_size = 0; }), HasSubstr("batch size"));
  EXPECT_THAT(with([](TrainOptions& o) { o.learning_rate = std::nan(""); }), HasSubstr("learning rate"));
  EXPECT_THAT(with([](TrainOptions& o) { o.momentum = 1; }), HasSubstr("momentum"));
  EXPECT_THAT(with([](TrainOptions& o) { o.label_smoothing = -0.1; }), HasSubstr("label smoothing"));
  EXPECT_THAT(with([](TrainOptions& o) { o.device = "abacus"; }), HasSubstr("abacus"));
  Dataset labels = data;
  labels.labels[3] = 3;
  labels.classes.resize(4);
  EXPECT_NE(complaint(labels, small_options()), "");
  EXPECT_THAT(complaint(data.slice(0, 0), small_options()), HasSubstr("no samples"));
}

TEST(Train, SaysWhenItDiverges) {
  TrainOptions options = small_options();
  options.learning_rate = 1e30;
  options.augmentation = {};
  try {
    static_cast<void>(train(small_network(), stripes(64, 1), {}, unit, options));
    FAIL() << "it learnt with a learning rate of 1e30";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failure);
    EXPECT_THAT(error.what(), HasSubstr("learning rate"));
  }
}

TEST(MeasurePreprocessing, IsMeanAndDeviationOfEveryChannel) {
  Dataset data;
  data.shape = {2, 1, 2};
  data.features = {{1, 3, 5, 5, 5, 7, 5, 5}, 4};
  data.labels = {0, 0};
  data.classes = {"a"};
  const Preprocessing measured = measure_preprocessing(data);
  EXPECT_EQ(measured.mean, (std::vector<float>{4, 5}));
  ASSERT_EQ(measured.deviation.size(), 2U);
  EXPECT_NEAR(measured.deviation[0], std::sqrt(5.0), 1e-6);
  EXPECT_EQ(measured.deviation[1], 1);  // no variation
}

}  // namespace
}  // namespace trimtab
