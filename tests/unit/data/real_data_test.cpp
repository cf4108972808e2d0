#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/process.h"
#include "data/dataset.h"

// With the real data sets where they are at hand, beside the checkout.

namespace trimtab {
namespace {

namespace fs = std::filesystem;

const fs::path shared_data = fs::path(TRIMTAB_SOURCE_DIR) / ".." / "shared" / "data";

/// Unpacks once for all runs of the tests: it takes seconds.
fs::path unpack_test_batch(const fs::path& archive) {
  const fs::path cache = fs::temp_directory_path() / "trimtab-test-data";
  const fs::path file = cache / "test_batch_a.bin";
  if (fs::exists(file)) return file;
  make_directory(cache);
  const ProcessResult unpacked =
      run_process({"tar", "-xJOf", archive.string(), "--wildcards", "--no-anchored", "test_batch_a.bin"},
                  "install the package tar");
  if (unpacked.exit_code == 0) write_file(file, unpacked.output);
  return file;
}

TEST(RealData, SpokenDigits) {
  const fs::path folder = shared_data / "fsdd";
  if (!fs::exists(folder / "x_test.npy")) GTEST_SKIP() << "the spoken digits are not beside the checkout";
  const Dataset data =
      load_dataset("npy:" + (folder / "x_test.npy").string() + "," + (folder / "y_test.npy").string(), Split::test, {});
  EXPECT_EQ(data.shape, (Shape{1, 49, 10}));
  EXPECT_EQ(data.size(), 300);
  EXPECT_EQ(data.classes.size(), 10U);
}

TEST(RealData, Cifar10TestBatch) {
  const fs::path archive = shared_data / "cifar10" / "cifar10-binary.tar.xz";
  if (!fs::exists(archive)) GTEST_SKIP() << "CIFAR-10 is not beside the checkout";
  const fs::path file = unpack_test_batch(archive);
  ASSERT_TRUE(fs::exists(file));
  const Dataset data = load_dataset("cifar10:" + file.string(), Split::test, {});
  EXPECT_EQ(data.size(), 5000);
  for (std::int64_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(data.labels.begin(), data.labels.end(), label), 500);
  }
  // The test images have nearly the training set's mean and deviation.
  const Preprocessing preprocessing = parse_preprocessing("cifar10", 3);
  std::vector<float> sample(3072);
  std::array<double, 3> sum{};
  std::array<double, 3> squares{};
  for (std::int64_t i = 0; i < data.size(); ++i) {
    data.read(i, preprocessing, sample);
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t j = 0; j < 1024; ++j) {
        const double x = sample[c * 1024 + j];
        sum[c] += x;
        squares[c] += x * x;
      }
    }
  }
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(sum[c] / 5'120'000, 0, 0.03);
    EXPECT_NEAR(squares[c] / 5'120'000, 1, 0.03);
  }
}

}  // namespace
}  // namespace trimtab
