#include "measure/warnings.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace trimtab {
namespace {

Dataset spread_between(double low, double high, std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> numbers(static_cast<std::size_t>(count * 4));
  for (float& x : numbers) x = static_cast<float>(low + (high - low) * random.uniform());
  Dataset data;
  data.shape = {4};
  data.features = {std::move(numbers), 4};
  return data;
}

Dataset with_labels(Dataset data, const std::vector<std::string>& classes, const std::vector<std::int64_t>& pattern) {
  data.classes = classes;
  for (std::int64_t i = 0; i < data.size(); ++i)
    data.labels.push_back(pattern[static_cast<std::size_t>(i) % pattern.size()]);
  return data;
}

TEST(RangeWarning, IsOfRangesThatDoNotMeet) {
  const Dataset data = spread_between(0, 1, 500, 1);
  EXPECT_FALSE(range_warning(data, spread_between(0, 1, 300, 2)).has_value());
  EXPECT_FALSE(range_warning(data, spread_between(-0.5, 1.5, 300, 2)).has_value()) << "twice as wide may happen";
  EXPECT_FALSE(range_warning(data, spread_between(0.5, 1.5, 300, 2)).has_value());
  const auto wider = range_warning(data, spread_between(0, 255, 300, 2));
  ASSERT_TRUE(wider.has_value());
  EXPECT_NE(wider->find("calibrate with lie in 0."), std::string::npos) << *wider;
  EXPECT_TRUE(range_warning(spread_between(0, 255, 300, 2), data).has_value()) << "whichever is the wider";
  EXPECT_TRUE(range_warning(data, spread_between(2, 3, 300, 2)).has_value()) << "as wide, but elsewhere";
}

TEST(RangeWarning, DoesNotHeedASingleNumber) {
  Dataset data = spread_between(0, 1, 500, 1);
  std::vector<float> numbers = data.features.values();
  numbers[17] = 1e6F;
  Dataset bad = data;
  bad.features = {std::move(numbers), 4};
  EXPECT_FALSE(range_warning(data, bad).has_value());
}

TEST(AbsentClassesWarning, NamesThem) {
  const Dataset data = with_labels(spread_between(0, 1, 60, 1), {"cat", "dog", "eel", "fox"}, {0, 2});
  const Task task = choose_task({}, {{4}, false}, data, {});
  EXPECT_EQ(absent_classes_warning(task, data, "test data").value(),
            "2 of the 4 classes never occur in the test data: dog, fox");
  const Dataset all = with_labels(spread_between(0, 1, 60, 1), {"cat", "dog", "eel", "fox"}, {0, 1, 2, 3});
  EXPECT_FALSE(absent_classes_warning(task, all, "test data").has_value());
}

TEST(AbsentClassesWarning, NeedsEnoughSamples) {
  const Dataset data = with_labels(spread_between(0, 1, 19, 1), {"cat", "dog", "eel", "fox"}, {0, 2});
  EXPECT_FALSE(absent_classes_warning(choose_task({}, {{4}, false}, data, {}), data, "test data").has_value());
  const Dataset ground = with_labels(spread_between(0, 1, 60, 1), {"background", "dog", "eel", "fox"}, {1, 2, 3});
  EXPECT_FALSE(absent_classes_warning(choose_task({}, {{4}, false}, ground, {}), ground, "test data").has_value());
}

std::optional<std::string> warning_of(const Dataset& data, int first, int second) {
  const Task task = choose_task({}, {{3}, false}, data, {});
  AnswerCount count(task);
  for (int i = 0; i < first; ++i) count.add(std::vector<float>{0, 1, 0});
  for (int i = 0; i < second; ++i) count.add(std::vector<float>{1, 0, 0});
  return count.warning("the network", data);
}

TEST(AnswerCount, WarnsOfOneAnswerToAll) {
  const Dataset mixed = with_labels(spread_between(0, 1, 40, 1), {"cat", "dog", "eel"}, {0, 1, 2});
  const auto warning = warning_of(mixed, 40, 0);
  ASSERT_TRUE(warning.has_value());
  EXPECT_NE(warning->find("the network answers 'dog' to 100 %"), std::string::npos) << *warning;
  EXPECT_TRUE(warning_of(mixed, 39, 1).has_value());
  EXPECT_FALSE(warning_of(mixed, 30, 10).has_value());
  EXPECT_FALSE(warning_of(mixed, 10, 0).has_value()) << "too few to tell";
}

TEST(AnswerCount, AcceptsWhatIsRight) {
  const Dataset dogs = with_labels(spread_between(0, 1, 40, 1), {"cat", "dog", "eel"}, {1, 1, 1, 0});
  EXPECT_FALSE(warning_of(dogs, 40, 0).has_value());
  EXPECT_TRUE(warning_of(spread_between(0, 1, 40, 1), 40, 0).has_value()) << "nothing is known of the labels";
  EXPECT_FALSE(warning_of(spread_between(0, 1, 40, 1), 39, 1).has_value());
}

}  // namespace
}  // namespace trimtab
