#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "data/npy.h"

namespace trimtab {
namespace {

std::string message(const std::string& description, const DataOptions& options = {}, Split split = Split::test) {
  try {
    (void)load_dataset(description, split, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "nothing thrown";
}

/// Two classes, four to one; pixel value = index.
Dataset uneven() {
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = {1, 1, 1};
  data.classes = {"many", "few", "none"};
  for (std::uint8_t i = 0; i < 50; ++i) {
    values.push_back(i);
    data.labels.push_back(i % 5 == 0 ? 1 : 0);
  }
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

TEST(Dataset, ReadAppliesPreprocessingPerChannel) {
  Dataset data;
  data.shape = {2, 1, 2};
  data.features = {{0, 0, 0, 0, 1, 2, 3, 4}, 4};
  data.labels = {0, 0};
  data.classes = {"x"};
  std::vector<float> sample(4);
  data.read(1, {{1, 2}, {1, 4}}, sample);
  EXPECT_EQ(sample, (std::vector<float>{0, 1, 0.25F, 0.5F}));
  data.read(1, {}, sample);
  EXPECT_EQ(sample, (std::vector<float>{1, 2, 3, 4}));
}

TEST(Dataset, SliceAndItsBounds) {
  const Dataset data = uneven();
  const Dataset part = data.slice(10, 3);
  EXPECT_EQ(part.pixels.values(), (std::vector<std::uint8_t>{10, 11, 12}));
  EXPECT_EQ(part.labels, (std::vector<std::int64_t>{1, 0, 0}));
  EXPECT_EQ(part.classes, data.classes);
  EXPECT_EQ(data.slice(50, 0).size(), 0);
  EXPECT_THROW((void)data.slice(0, 51), Error);
  EXPECT_THROW((void)data.slice(-1, 2), Error);
  EXPECT_THROW((void)data.slice(1, std::numeric_limits<std::int64_t>::max()), Error);
}

TEST(Dataset, PartsShareTheSamplesTheyHold) {
  const Dataset data = uneven();
  const std::vector<std::int64_t> indices{7, 3, 3};
  const Dataset part = data.slice(10, 20).pick(indices);
  EXPECT_EQ(part.pixels.values(), (std::vector<std::uint8_t>{17, 13, 13}));
  EXPECT_EQ(part.pixels[0].data(), data.pixels[17].data());
  EXPECT_EQ(part.pixels[1].data(), part.pixels[2].data());
  EXPECT_EQ(part.pixels.separate(), part.pixels);
  EXPECT_NE(part.pixels.separate()[0].data(), data.pixels[17].data());
  EXPECT_EQ(data.slice(0, 2).features, data.features) << "none of none";
}

TEST(Dataset, SampleIsEvenOverTheClasses) {
  const Dataset data = uneven();
  for (const std::int64_t count : {1, 2, 8, 20, 50, 99}) {
    const Dataset part = data.sample(count, 3);
    ASSERT_EQ(part.size(), std::min<std::int64_t>(count, 50));
    const auto few = std::count(part.labels.begin(), part.labels.end(), 1);
    EXPECT_LE(std::abs(few - std::min<std::int64_t>(count / 2, 10)), 1) << count;
    std::vector<std::uint8_t> pixels = part.pixels.values();
    std::sort(pixels.begin(), pixels.end());
    EXPECT_EQ(std::adjacent_find(pixels.begin(), pixels.end()), pixels.end()) << "a sample was chosen twice";
  }
  EXPECT_EQ(data.sample(8, 3).pixels, data.sample(8, 3).pixels);
  EXPECT_NE(data.sample(8, 3).pixels, data.sample(8, 4).pixels);
  EXPECT_THROW((void)data.sample(0, 1), Error);
}

TEST(Dataset, CheckFitsComparesShapes) {
  const Dataset data = uneven();
  EXPECT_NO_THROW(check_fits(data, {1, 1, 1}));
  EXPECT_THROW(check_fits(data, {1, 1, 2}), Error);
  EXPECT_THROW(check_fits(data.slice(0, 0), {1, 1, 1}), Error);
}

TEST(Dataset, PicksAnswersWithTheirSamples) {
  Dataset data;
  data.shape = {1};
  data.features = {{10, 11, 12}, 1};
  data.target_shape = {2};
  data.targets = {{0, 1, 2, 3, 4, 5}, 2};
  data.groups = {7, 8, 9};
  const Dataset part = data.pick(std::vector<std::int64_t>{2, 0});
  EXPECT_EQ(part.targets.values(), (std::vector<float>{4, 5, 0, 1}));
  EXPECT_EQ(part.groups, (std::vector<std::int64_t>{9, 7}));
  EXPECT_EQ(part.target_shape, (Shape{2}));
  EXPECT_EQ(data.sample(3, 1).size(), 3) << "samples without a class";
  const Dataset none = without_answers(data);
  EXPECT_FALSE(none.has_answers());
  EXPECT_EQ(none.size(), 3);
}

/// Samples without values that matter, of these classes.
Dataset labelled(std::vector<std::int64_t> labels) {
  Dataset data;
  data.shape = {1};
  std::vector<float> values(labels.size());
  std::iota(values.begin(), values.end(), 0.0F);
  data.features = Samples<float>(std::move(values), 1);
  data.classes = {"a", "b", "c"};
  data.labels = std::move(labels);
  return data;
}

TEST(Dataset, HalvesHaveAllClassesInWhateverOrderTheyCome) {
  for (const auto& labels : {std::vector<std::int64_t>{0, 1, 0, 1, 0, 1, 0, 1}, {0, 0, 0, 0, 1, 1, 1, 1}}) {
    const auto [first, second] = labelled(labels).halves();
    for (const Dataset& half : {first, second}) {
      ASSERT_EQ(half.size(), 4);
      EXPECT_EQ(std::count(half.labels.begin(), half.labels.end(), 0), 2);
    }
    std::vector<float> all;
    for (const Dataset& half : {first, second}) {
      for (std::int64_t i = 0; i < half.size(); ++i) all.push_back(half.features[i][0]);
    }
    EXPECT_THAT(all, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  }
}

TEST(Dataset, HalvesLeaveRecordingsWhole) {
  Dataset data = labelled({0, 0, 0, 1, 1, 1, 0, 1});
  data.groups = {5, 5, 5, 3, 3, 3, 7, 8};
  const auto [first, second] = data.halves();
  EXPECT_EQ(first.size() + second.size(), 8);
  for (const std::int64_t recording : first.groups)
    EXPECT_THAT(second.groups, testing::Not(testing::Contains(recording)));
  EXPECT_GT(second.size(), 0);
}

TEST(Dataset, HalvesOfSamplesWithoutClassesAlternate) {
  Dataset data = labelled({});
  data.features = Samples<float>({0, 1, 2, 3, 4}, 1);
  const auto [first, second] = data.halves();
  EXPECT_EQ(first.size(), 3);
  EXPECT_EQ(second.features[1][0], 3);
}

TEST(Dataset, LimitsKeepAllClassesOfARegularOrder) {
  const TemporaryDirectory folder;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 40; ++i) labels.push_back(i % 4);
  write_npy(folder.path() / "x.npy", {40, 1}, std::vector<float>(40));
  write_npy(folder.path() / "y.npy", {40}, labels);
  const std::string files = "npy:" + (folder.path() / "x.npy").string() + "," + (folder.path() / "y.npy").string();
  std::vector<std::int64_t> picked = load_dataset(files, Split::test, {.limit = 10}).labels;
  for (int label = 0; label < 4; ++label) EXPECT_GE(std::count(picked.begin(), picked.end(), label), 2) << label;
}

TEST(Dataset, NamesTheKindsOfSources) {
  for (const char* description : {"", "cifar10", "cifar10:", "mnist:/data", "synthetic:", "images:"}) {
    EXPECT_NE(message(description).find("cifar10:FOLDER_OR_FILE"), std::string::npos) << description;
  }
  EXPECT_NE(message("synthetic:circles").find("synthetic:shapes"), std::string::npos);
  for (const char* description :
       {"synthetic:shapes:", "synthetic:shapes:0", "synthetic:shapes:-1", "synthetic:shapes:10x",
        "synthetic:shapes:99999999999999999999", "synthetic:shapes:1000001"}) {
    EXPECT_NE(message(description).find("samples"), std::string::npos) << description;
  }
  EXPECT_NE(message("synthetic:shapes:10", {.limit = -1}).find("negative"), std::string::npos);
  EXPECT_NE(message("synthetic:shapes:10", {.shape = {1, 28, 28}}).find("3x32x32"), std::string::npos);
}

TEST(Dataset, LabelOffsetMakesRoomForABackgroundClass) {
  const Dataset data = load_dataset("synthetic:shapes:10", Split::test, {.label_offset = 1});
  EXPECT_EQ(data.labels.front(), 1);
  EXPECT_EQ(data.labels.back(), 10);
  ASSERT_EQ(data.classes.size(), 11U);
  EXPECT_EQ(data.classes[0], "background");
  EXPECT_EQ(data.classes[1], "disc");
  EXPECT_NE(message("synthetic:shapes:10", {.label_offset = -1}).find("label -1"), std::string::npos);
}

class Cifar10 : public testing::Test {
 protected:
  /// A file of `count` records: label i % 10, pixels 3i, 3i+1, 3i+2 in the three planes.
  static std::string records(int count, int first_label = 0) {
    std::string bytes;
    for (int i = 0; i < count; ++i) {
      bytes += static_cast<char>((i + first_label) % 10);
      for (int c = 0; c < 3; ++c) bytes += std::string(1024, static_cast<char>(3 * i + c));
    }
    return bytes;
  }
  void write(const std::string& name, const std::string& bytes) const { write_file(folder_.path() / name, bytes); }
  std::string description(const std::string& name = "") const {
    return "cifar10:" + (name.empty() ? folder_.path() : folder_.path() / name).string();
  }
  TemporaryDirectory folder_;
};

TEST_F(Cifar10, ReadsAFileAndBothSplitsOfAFolder) {
  write("data_batch_2.bin", records(5, 3));
  write("data_batch_1.bin", records(4));
  write("test_batch_a.bin", records(2));
  const Dataset train = load_dataset(description(), Split::train, {});
  EXPECT_EQ(train.labels, (std::vector<std::int64_t>{0, 1, 2, 3, 3, 4, 5, 6, 7}));
  EXPECT_EQ(train.shape, (Shape{3, 32, 32}));
  EXPECT_EQ(train.classes.at(3), "cat");
  EXPECT_EQ(train.pixels[1][1024], 4) << "second record, green";
  EXPECT_EQ(load_dataset(description(), Split::test, {}).size(), 2);
  EXPECT_EQ(load_dataset(description("data_batch_2.bin"), Split::test, {}).size(), 5);
  EXPECT_EQ(load_dataset(description(), Split::train, {.limit = 3}).labels, (std::vector<std::int64_t>{0, 3, 5}));
}

TEST_F(Cifar10, RefusesWrongFiles) {
  EXPECT_NE(message(description()).find("test_batch"), std::string::npos);
  EXPECT_NE(message(description("absent.bin")).find("does not exist"), std::string::npos);
  write("empty.bin", "");
  EXPECT_NE(message(description("empty.bin")).find("empty"), std::string::npos);
  write("cut.bin", records(2).substr(1));
  EXPECT_NE(message(description("cut.bin")).find("3073"), std::string::npos);
  std::string wrong = records(2);
  wrong[3073] = 10;
  write("label.bin", wrong);
  EXPECT_NE(message(description("label.bin")).find("record 1 has the label 10"), std::string::npos);
}

// Mean and deviation of the training set as published with many CIFAR-10 trainings: .4914 .4822 .4465, .2470 .2435
// .2616.
TEST(Preprocessing, KnowsItsNames) {
  EXPECT_TRUE(parse_preprocessing("none", 3).mean.empty());
  EXPECT_FLOAT_EQ(parse_preprocessing("unit", 1).deviation_of(0), 255);
  EXPECT_FLOAT_EQ(parse_preprocessing("mobilenet", 3).mean_of(2), 128);
  EXPECT_FLOAT_EQ(parse_preprocessing("imagenet", 3).mean_of(0), 123.675F);
  const Preprocessing cifar = parse_preprocessing("cifar10", 3);
  EXPECT_NEAR(cifar.mean_of(0) / 255, 0.4914, 1e-4);
  EXPECT_NEAR(cifar.mean_of(1) / 255, 0.4822, 1e-4);
  EXPECT_NEAR(cifar.mean_of(2) / 255, 0.4465, 1e-4);
  EXPECT_NEAR(cifar.deviation_of(0) / 255, 0.2470, 1e-4);
  EXPECT_NEAR(cifar.deviation_of(1) / 255, 0.2435, 1e-4);
  EXPECT_NEAR(cifar.deviation_of(2) / 255, 0.2616, 1e-4);
  EXPECT_THROW((void)parse_preprocessing("imagenet", 1), Error);
  EXPECT_THROW((void)parse_preprocessing("whiten", 3), Error);
}

TEST(Preprocessing, ReadsAFile) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "p.toml").string();
  write_file(path, std::string_view("mean = [1, 2.5, 3]\ndeviation = 58"));
  const Preprocessing p = parse_preprocessing(path, 3);
  EXPECT_EQ(p.mean, (std::vector<float>{1, 2.5F, 3}));
  EXPECT_EQ(p.deviation, (std::vector<float>{58, 58, 58}));
  for (const char* wrong :
       {"mean = [1, 2]", "mean = 'x'", "mean = [1, 2, 'x']", "deviation = 0", "deviation = [1, -1, 1]",
        "deviation = nan", "mean = inf", "means = 1", "mean = [", "mean = [[1], [2], [3]]"}) {
    write_file(path, std::string_view(wrong));
    try {
      (void)parse_preprocessing(path, 3);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_NE(std::string(error.what()).find("p.toml"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace trimtab
