#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "data/dataset.h"

namespace trimtab {

/// Random changes that make a training set larger. All of them apply to images {C,H,W} only.
struct Augmentation {
  std::int64_t crop_rows = 0;     ///< shift by up to so many rows, either way
  std::int64_t crop_columns = 0;  ///< shift by up to so many columns, either way
  bool flip = false;              ///< mirror left and right, every other time
  std::int64_t cutout = 0;        ///< side of a square that is filled (DeVries and Taylor 2017); 0: none
  enum class Fill { mean, zero } fill = Fill::mean;  ///< at the edges: preprocessing's mean, or 0 before preprocessing
};

/// Which batches to make.
struct BatchOptions {
  std::int64_t batch_size = 128;
  bool training = false;  ///< shuffled anew in every epoch, augmented, batches all of the same size
  Augmentation augmentation;
  std::uint64_t seed = 1;
  std::int64_t epochs = 1;
  std::int64_t first_batch = 0;  ///< batches to skip, counted over all epochs
};

/// Preprocessed samples: images channels last {count, H, W, C}, as the network reads them, and vectors {count, F}.
struct Batch {
  std::vector<float> inputs;
  std::vector<std::int64_t> samples;  ///< which they are: indices into the data set
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(samples.size()); }
};

/// Batches per epoch. In training a remainder smaller than a batch is left out (other samples in every epoch), unless
/// it is all there is.
[[nodiscard]] std::int64_t batches_per_epoch(std::int64_t samples, const BatchOptions& options);

/// Makes batches ahead of their use in a thread of its own. A batch depends on nothing but the data, the options and
/// the batch's number. So a training that continues from a checkpoint sees the batches that it would have seen. The
/// data set must outlive the loader.
class BatchLoader {
 public:
  BatchLoader(const Dataset& data, const Preprocessing& preprocessing, const BatchOptions& options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;
  BatchLoader(BatchLoader&&) = delete;
  BatchLoader& operator=(BatchLoader&&) = delete;

  /// Puts the next batch into `batch`, whose memory is taken back for a later one. False after the last.
  [[nodiscard]] bool next(Batch& batch);

 private:
  void work();
  void fill(std::int64_t number, Batch& batch);
  void write_image(std::int64_t sample, std::uint64_t key, std::span<float> out) const;

  const Dataset& data_;
  Preprocessing preprocessing_;
  BatchOptions options_;
  std::int64_t per_epoch_;
  std::int64_t order_epoch_ = -1;
  std::vector<std::int64_t> order_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> ready_;
  std::vector<Batch> empty_;
  bool stop_ = false;
  bool finished_ = false;
  std::exception_ptr fault_;
  std::thread thread_;
};

}  // namespace trimtab
