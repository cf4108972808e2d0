#include "measure/task.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace trimtab {
namespace {

Dataset features(const Shape& shape, std::int64_t count) {
  Dataset data;
  data.shape = shape;
  data.features = {std::vector<float>(static_cast<std::size_t>(count * element_count(shape)), 0.5F),
                   element_count(shape)};
  return data;
}

Dataset labelled(const Shape& shape, std::vector<std::int64_t> labels, std::size_t classes) {
  Dataset data = features(shape, std::ssize(labels));
  data.labels = std::move(labels);
  for (std::size_t c = 0; c < classes; ++c) data.classes.push_back(std::to_string(c));
  return data;
}

Dataset targeted(const Shape& shape, const Shape& target, std::vector<float> numbers) {
  const std::int64_t size = element_count(target);
  Dataset data = features(shape, std::ssize(numbers) / size);
  data.target_shape = target;
  data.targets = {std::move(numbers), size};
  return data;
}

Dataset mapped(const Shape& shape, const Shape& map, std::vector<std::int32_t> classes) {
  const std::int64_t size = element_count(map);
  Dataset data = features(shape, std::ssize(classes) / size);
  data.target_shape = map;
  data.class_maps = {std::move(classes), size};
  data.classes = {"0", "1"};
  return data;
}

TaskKind inferred(const Shape& output, const Dataset& data) { return choose_task({}, {output, false}, data, {}).kind; }

std::string refusal(const TaskChoice& choice, const Shape& output, const Dataset& data) {
  try {
    (void)choose_task(choice, {output, false}, data, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "accepted";
}

TEST(ChooseTask, FollowsFromOutputsAndAnswers) {
  EXPECT_EQ(inferred({10}, labelled({4}, {0, 9}, 10)), TaskKind::classification);
  EXPECT_EQ(inferred({10, 1, 1}, labelled({4}, {0, 9}, 10)), TaskKind::classification);
  EXPECT_EQ(inferred({2}, labelled({2}, {0, 1}, 2)), TaskKind::classification) << "two outputs of two inputs";
  EXPECT_EQ(inferred({1}, labelled({4}, {0, 1}, 2)), TaskKind::binary);
  EXPECT_EQ(inferred({1}, labelled({4}, {0, 70}, 71)), TaskKind::regression) << "whole numbers, such as ages";
  EXPECT_EQ(inferred({1}, targeted({4}, {1}, {0.5F, 2})), TaskKind::regression);
  EXPECT_EQ(inferred({3}, targeted({4}, {3}, {1, 2, 3, 4, 5, 6})), TaskKind::regression);
  EXPECT_EQ(inferred({2, 2, 2}, targeted({1, 2, 2}, {2, 2, 2}, std::vector<float>(16))), TaskKind::regression);
  EXPECT_EQ(inferred({4}, labelled({4}, {0, 1}, 2)), TaskKind::anomaly);
  EXPECT_EQ(inferred({4}, features({4}, 2)), TaskKind::reconstruction);
  EXPECT_EQ(inferred({2, 2, 3}, mapped({3, 2, 3}, {2, 3}, {0, 1, 0, 1, 0, 1})), TaskKind::segmentation);
  EXPECT_EQ(inferred({1, 2, 3}, mapped({3, 2, 3}, {2, 3}, {0, 1, -1, 1, 0, 1})), TaskKind::segmentation);
  EXPECT_EQ(inferred({1}, features({4}, 2)), TaskKind::outputs);
  EXPECT_EQ(inferred({16, 4, 4}, features({3, 8, 8}, 2)), TaskKind::outputs);
  EXPECT_FALSE(choose_task({}, {{10}, false}, features({4}, 2), {}).labelled);
  EXPECT_TRUE(choose_task({}, {{4}, false}, features({4}, 2), {}).labelled) << "the input is the answer";
}

TEST(ChooseTask, TakesOneHotRowsEitherWay) {
  Dataset data = targeted({4}, {3}, {0, 1, 0, 1, 0, 0});
  data.labels = {1, 0};
  data.classes = {"0", "1", "2"};
  EXPECT_EQ(inferred({3}, data), TaskKind::classification);
  EXPECT_EQ(choose_task({TaskKind::regression}, {{3}, false}, data, {}).kind, TaskKind::regression);
}

TEST(ChooseTask, PutsTheThresholdWhereTheOutputTurns) {
  const Dataset data = labelled({4}, {0, 1}, 2);
  EXPECT_EQ(choose_task({}, {{1}, true}, data, {}).threshold, 0.5);
  EXPECT_EQ(choose_task({}, {{1}, false}, data, {}).threshold, 0.0);
  EXPECT_EQ(choose_task({{}, 0.25}, {{1}, true}, data, {}).threshold, 0.25);
}

TEST(ChooseTask, SaysWhatDoesNotFit) {
  EXPECT_NE(refusal({}, {5}, labelled({4}, {0, 5}, 6)).find("labels 0 to 4 are possible"), std::string::npos);
  EXPECT_NE(refusal({}, {5}, targeted({4}, {1}, {0.5F, 1})).find("--task says what is asked for"), std::string::npos);
  EXPECT_NE(refusal({TaskKind::binary}, {2}, labelled({4}, {0, 1}, 2)).find("one output"), std::string::npos);
  EXPECT_NE(refusal({TaskKind::binary}, {1}, labelled({4}, {0, 2}, 3)).find("needs 0 and 1"), std::string::npos);
  EXPECT_NE(refusal({TaskKind::classification}, {1}, labelled({4}, {0, 1}, 2)).find("several outputs"),
            std::string::npos);
  EXPECT_NE(refusal({TaskKind::reconstruction}, {3}, features({4}, 1)).find("as many outputs as inputs"),
            std::string::npos);
  EXPECT_NE(refusal({TaskKind::regression}, {2, 2, 3}, targeted({4}, {2, 3, 2}, std::vector<float>(12)))
                .find("channels first"),
            std::string::npos);
  EXPECT_NE(refusal({}, {2, 4, 4}, mapped({3, 2, 3}, {2, 3}, {0, 1, 0, 1, 0, 1})).find("a class for each of 2x3"),
            std::string::npos);
  Dataset three = mapped({3, 2, 3}, {2, 3}, {0, 1, 0, 1, 0, 2});
  three.classes.emplace_back("2");
  EXPECT_NE(refusal({}, {2, 2, 3}, three).find("classes 0 to 1"), std::string::npos);
}

TEST(ChooseTask, KnowsItsWords) {
  for (const std::string& name : task_names()) EXPECT_EQ(name_of(parse_task(name)), name);
  EXPECT_THROW((void)parse_task("guessing"), Error);
}

TEST(OutputOf, SeesAShareBehindALayout) {
  Graph graph;
  graph.values = {{"x", {4}}, {"y", {4}}, {"z", {1, 2, 2}}};
  graph.nodes = {{"sigmoid", Sigmoid{}, {0}, 1}, {"shape", Reshape{{1, 2, 2}}, {1}, 2}};
  graph.input = 0;
  graph.output = 2;
  EXPECT_TRUE(output_of(graph).probability);
  EXPECT_EQ(output_of(graph).shape, (Shape{1, 2, 2}));
  graph.nodes[0].op = Relu{};
  EXPECT_FALSE(output_of(graph).probability);
}

TEST(Decisions, AreTheLargestChannelOfEveryPixel) {
  Task task;
  task.kind = TaskKind::segmentation;
  task.output = {2, 1, 3};
  std::vector<std::int64_t> classes;
  decide_pixels(task, std::vector<float>{1, 2, 3, 3, 2, 1}, classes);  // channels first
  EXPECT_EQ(classes, (std::vector<std::int64_t>{1, 0, 0}));
  task.output = {1, 1, 3};
  task.threshold = 1.5;
  decide_pixels(task, std::vector<float>{1, 2, 3}, classes);
  EXPECT_EQ(classes, (std::vector<std::int64_t>{0, 1, 1}));
}

TEST(Targets, OfPixelsArePreprocessedAndOfFeaturesAreAsGiven) {
  Dataset pixels;
  pixels.shape = {2};
  pixels.pixels = {{100, 200}, 2};
  const Task task = choose_task({}, {{2}, false}, pixels, {{50, 50}, {2, 2}});
  std::vector<float> target(2);
  read_target(task, pixels, 0, {}, target);  // a prepared network takes raw pixels: no preprocessing of its own
  EXPECT_EQ(target, (std::vector<float>{25, 75}));
  const Dataset numbers = features({2}, 1);
  const Task same = choose_task({}, {{2}, false}, numbers, {{0.5F, 0.5F}, {2, 2}});
  read_target(same, numbers, 0, {{0.25F, 0.25F}, {2, 2}}, target);
  EXPECT_EQ(target, (std::vector<float>{0.125F, 0.125F}));
}

}  // namespace
}  // namespace trimtab
