#include "learn/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/random.h"

namespace trimtab {
namespace {

/// Pictures in which every pixel of every sample is different from 0.
Dataset pictures(std::int64_t count, const Shape& shape) {
  Dataset data;
  std::vector<std::uint8_t> values;
  data.shape = shape;
  Random random(7);
  for (std::int64_t i = 0; i < count * element_count(shape); ++i) {
    values.push_back(static_cast<std::uint8_t>(random.integer(1, 255)));
  }
  for (std::int64_t i = 0; i < count; ++i) data.labels.push_back(i);
  data.classes.resize(static_cast<std::size_t>(count));
  data.pixels = {std::move(values), element_count(data.shape)};
  return data;
}

std::vector<Batch> all_batches(const Dataset& data, const Preprocessing& preprocessing, const BatchOptions& options) {
  BatchLoader loader(data, preprocessing, options);
  std::vector<Batch> result;
  Batch batch;
  while (loader.next(batch)) result.push_back(batch);
  return result;
}

/// Element (c, y, x) of sample i of a batch.
float element(const Batch& batch, const Shape& shape, std::int64_t i, std::int64_t c, std::int64_t y, std::int64_t x) {
  return batch.inputs[static_cast<std::size_t>(((i * shape[1] + y) * shape[2] + x) * shape[0] + c)];
}

TEST(BatchLoader, GivesEverySampleInOrderWithoutTraining) {
  const Dataset data = pictures(11, {3, 4, 5});
  const Preprocessing preprocessing{{10, 20, 30}, {2, 4, 8}};
  BatchOptions options;
  options.batch_size = 4;
  options.augmentation = {2, 2, true, 2, Augmentation::Fill::zero};  // of no effect without training
  const std::vector<Batch> batches = all_batches(data, preprocessing, options);
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_EQ(batches[2].size(), 3);
  std::vector<float> expected(60);
  std::int64_t sample = 0;
  for (const Batch& batch : batches) {
    for (std::int64_t i = 0; i < batch.size(); ++i, ++sample) {
      EXPECT_EQ(batch.samples[static_cast<std::size_t>(i)], sample);
      data.read(sample, preprocessing, expected);
      for (std::int64_t k = 0; k < 60; ++k) {
        EXPECT_FLOAT_EQ(element(batch, data.shape, i, k / 20, k / 5 % 4, k % 5), expected[static_cast<std::size_t>(k)]);
      }
    }
  }
}

TEST(BatchLoader, ShufflesEveryEpochAnewAndRepeatsNothing) {
  const Dataset data = pictures(20, {1, 2, 2});
  BatchOptions options;
  options.training = true;
  options.batch_size = 6;
  options.epochs = 2;
  const std::vector<Batch> batches = all_batches(data, {}, options);
  ASSERT_EQ(batches.size(), 6U);  // 3 whole batches in each epoch
  std::vector<std::vector<std::int64_t>> epochs(2);
  for (std::size_t b = 0; b < batches.size(); ++b) {
    epochs[b / 3].insert(epochs[b / 3].end(), batches[b].samples.begin(), batches[b].samples.end());
  }
  EXPECT_NE(epochs[0], epochs[1]);
  for (const auto& epoch : epochs) EXPECT_EQ(std::set<std::int64_t>(epoch.begin(), epoch.end()).size(), 18U);
}

TEST(BatchLoader, ContinuesWithTheBatchesItWouldHaveMade) {
  const Dataset data = pictures(20, {3, 6, 6});
  BatchOptions options;
  options.training = true;
  options.batch_size = 6;
  options.epochs = 3;
  options.augmentation = {2, 1, true, 3, Augmentation::Fill::mean};
  const std::vector<Batch> whole = all_batches(data, {}, options);
  options.first_batch = 4;
  const std::vector<Batch> rest = all_batches(data, {}, options);
  ASSERT_EQ(rest.size(), whole.size() - 4);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    EXPECT_EQ(rest[i].inputs, whole[i + 4].inputs);
    EXPECT_EQ(rest[i].samples, whole[i + 4].samples);
  }
}

/// Whether the augmented sample is the original shifted by (rows, columns), mirrored or not, `fill` coming in.
bool is_moved(const Batch& batch, std::int64_t i, const Dataset& data, std::int64_t rows, std::int64_t columns,
              bool flip, float fill) {
  const Shape& s = data.shape;
  for (std::int64_t c = 0; c < s[0]; ++c) {
    for (std::int64_t y = 0; y < s[1]; ++y) {
      for (std::int64_t x = 0; x < s[2]; ++x) {
        const std::int64_t from_y = y + rows;
        const std::int64_t from_x = (flip ? s[2] - 1 - x : x) + columns;
        const bool inside = from_y >= 0 && from_y < s[1] && from_x >= 0 && from_x < s[2];
        const std::int64_t sample = batch.samples[static_cast<std::size_t>(i)];
        const float expected =
            inside
                ? static_cast<float>(data.pixels[sample][static_cast<std::size_t>((c * s[1] + from_y) * s[2] + from_x)])
                : fill;
        if (element(batch, s, i, c, y, x) != expected) return false;
      }
    }
  }
  return true;
}

TEST(BatchLoader, ShiftsAndMirrorsByAllItMayAndNoMore) {
  const Dataset data = pictures(200, {2, 6, 5});
  BatchOptions options;
  options.training = true;
  options.batch_size = 50;
  options.augmentation = {2, 1, true, 0, Augmentation::Fill::zero};
  std::set<std::tuple<std::int64_t, std::int64_t, bool>> seen;
  for (const Batch& batch : all_batches(data, {}, options)) {
    for (std::int64_t i = 0; i < batch.size(); ++i) {
      int matches = 0;
      for (std::int64_t rows = -2; rows <= 2; ++rows) {
        for (std::int64_t columns = -1; columns <= 1; ++columns) {
          for (const bool flip : {false, true}) {
            if (!is_moved(batch, i, data, rows, columns, flip, 0)) continue;
            ++matches;
            seen.insert({rows, columns, flip});
          }
        }
      }
      ASSERT_EQ(matches, 1);
    }
  }
  EXPECT_EQ(seen.size(), 30U);
}

TEST(BatchLoader, FillsWithTheMeanOrWithZero) {
  const Dataset data = pictures(1, {1, 8, 8});
  const Preprocessing preprocessing{{100}, {50}};
  BatchOptions options;
  options.training = true;
  options.augmentation.cutout = 16;  // wherever its centre lies, a square of this size covers a corner and the centre
  options.augmentation.fill = Augmentation::Fill::mean;
  const Batch mean = all_batches(data, preprocessing, options).at(0);
  options.augmentation.fill = Augmentation::Fill::zero;
  const Batch zero = all_batches(data, preprocessing, options).at(0);
  EXPECT_EQ(element(mean, data.shape, 0, 0, 4, 4), 0.0F);
  EXPECT_EQ(element(zero, data.shape, 0, 0, 4, 4), -2.0F);
}

TEST(BatchLoader, ReadsVectorsAndFeatures) {
  Dataset data;
  data.shape = {2};
  data.features = {{1, 2, 3, 4, 5, 6}, 2};
  data.labels = {0, 1, 0};
  data.classes = {"a", "b"};
  const std::vector<Batch> batches = all_batches(data, {{1, 2}, {2, 1}}, {});
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].inputs, (std::vector<float>{0, 0, 1, 2, 2, 4}));
}

TEST(BatchLoader, RefusesPreprocessingOfOtherChannels) {
  const Dataset data = pictures(3, {3, 2, 2});
  EXPECT_THROW(BatchLoader(data, {{1, 2}, {}}, {}), Error);
}

}  // namespace
}  // namespace trimtab
