#include "learn/batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "base/random.h"

namespace trimtab {
namespace {

/// Batches that wait to be used: enough to hide a slow moment, few enough to stay in the cache.
constexpr std::size_t ahead = 3;

/// A seed for something that two numbers name.
std::uint64_t mix(std::uint64_t seed, std::uint64_t number) {
  Random random(seed ^ (0x9e3779b97f4a7c15U * (number + 1)));
  return random.bits();
}

/// Where the pixels of one augmented image come from.
struct Placement {
  std::int64_t rows = 0;     ///< row r of the result is row r + rows of the sample
  std::int64_t columns = 0;  ///< likewise, before the flip
  bool flip = false;
};

/// One channel: (raw - mean) / deviation, shifted, flipped; `fill` where nothing comes in. Writes every `step`-th
/// float.
template <typename Raw>
void write_channel(const Raw* raw, std::int64_t height, std::int64_t width, const Placement& place, float mean,
                   float deviation, float fill, float* out, std::int64_t step) {
  const std::int64_t first = std::clamp<std::int64_t>(-place.columns, 0, width);
  const std::int64_t end = std::clamp<std::int64_t>(width - place.columns, 0, width);
  for (std::int64_t r = 0; r < height; ++r) {
    const std::int64_t from = r + place.rows;
    float* row = out + r * width * step;
    const std::int64_t origin = place.flip ? (width - 1) * step : 0;
    const std::int64_t stride = place.flip ? -step : step;
    const bool inside = from >= 0 && from < height;
    const std::int64_t left = inside ? first : width;
    for (std::int64_t c = 0; c < left; ++c) row[origin + c * stride] = fill;
    if (!inside) continue;
    const Raw* source = raw + from * width + place.columns;
    for (std::int64_t c = first; c < end; ++c) {
      row[origin + c * stride] = (static_cast<float>(source[c]) - mean) / deviation;
    }
    for (std::int64_t c = end; c < width; ++c) row[origin + c * stride] = fill;
  }
}

}  // namespace

std::int64_t batches_per_epoch(std::int64_t samples, const BatchOptions& options) {
  const std::int64_t whole = samples / options.batch_size;
  const bool remainder = samples % options.batch_size != 0;
  return remainder && (!options.training || whole == 0) ? whole + 1 : whole;
}

BatchLoader::BatchLoader(const Dataset& data, const Preprocessing& preprocessing, const BatchOptions& options)
    : data_(data),
      preprocessing_(preprocessing),
      options_(options),
      per_epoch_(batches_per_epoch(data.size(), options)),
      order_(static_cast<std::size_t>(data.size())),
      empty_(ahead) {
  std::iota(order_.begin(), order_.end(), 0);
  const auto channels = data.shape.empty() ? 0U : static_cast<std::size_t>(data.shape[0]);
  const auto fits = [&](const std::vector<float>& numbers) { return numbers.empty() || numbers.size() == channels; };
  if (!fits(preprocessing.mean) || !fits(preprocessing.deviation)) {
    throw bad_input("the preprocessing has {} means and {} deviations; the data, with samples of {}, needs {}",
                    preprocessing.mean.size(), preprocessing.deviation.size(), to_string(data.shape), channels);
  }
  thread_ = std::thread([this] { work(); });
}

BatchLoader::~BatchLoader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool BatchLoader::next(Batch& batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty() || finished_; });
  if (ready_.empty()) {
    if (fault_) std::rethrow_exception(fault_);
    return false;
  }
  std::swap(batch, ready_.front());
  if (empty_.size() < ahead) empty_.push_back(std::move(ready_.front()));
  ready_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return true;
}

void BatchLoader::work() {
  try {
    const std::int64_t total = per_epoch_ * options_.epochs;
    for (std::int64_t number = options_.first_batch; number < total; ++number) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || ready_.size() < ahead; });
      if (stop_) return;
      Batch batch;
      if (!empty_.empty()) {
        batch = std::move(empty_.back());
        empty_.pop_back();
      }
      lock.unlock();
      fill(number, batch);
      lock.lock();
      ready_.push_back(std::move(batch));
      lock.unlock();
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    fault_ = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_all();
}

void BatchLoader::fill(std::int64_t number, Batch& batch) {
  const std::int64_t epoch = number / per_epoch_;
  const std::int64_t first = number % per_epoch_ * options_.batch_size;
  const std::int64_t count = std::min(options_.batch_size, data_.size() - first);
  const std::uint64_t epoch_key = mix(options_.seed, static_cast<std::uint64_t>(epoch));
  if (options_.training && epoch != order_epoch_) {
    std::iota(order_.begin(), order_.end(), 0);
    Random random(epoch_key);
    random.shuffle(order_);
    order_epoch_ = epoch;
  }
  const std::int64_t elements = element_count(data_.shape);
  batch.inputs.resize(static_cast<std::size_t>(count * elements));
  batch.samples.resize(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t sample = nth(order_, first + i);
    nth(batch.samples, i) = sample;
    write_image(
        sample, mix(epoch_key, static_cast<std::uint64_t>(first + i)),
        std::span(batch.inputs).subspan(static_cast<std::size_t>(i * elements), static_cast<std::size_t>(elements)));
  }
}

void BatchLoader::write_image(std::int64_t sample, std::uint64_t key, std::span<float> out) const {
  const bool image = data_.shape.size() == 3;
  const std::int64_t channels = data_.shape[0];
  const std::int64_t height = image ? data_.shape[1] : 1;
  const std::int64_t width = image ? data_.shape[2] : 1;
  const Augmentation& change = options_.augmentation;
  const bool augment = options_.training && image;
  Placement place;
  Random random(key);
  if (augment) {
    place.rows = random.integer(-change.crop_rows, change.crop_rows);
    place.columns = random.integer(-change.crop_columns, change.crop_columns);
    place.flip = change.flip && random.bits() % 2 == 0;
  }
  const auto fill_of = [&](std::int64_t channel) {
    return change.fill == Augmentation::Fill::mean
               ? 0.0F
               : -preprocessing_.mean_of(channel) / preprocessing_.deviation_of(channel);
  };
  const std::int64_t plane = height * width;
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto offset = static_cast<std::size_t>(c * plane);
    const float mean = preprocessing_.mean_of(c);
    const float deviation = preprocessing_.deviation_of(c);
    if (data_.is_pixels()) {
      write_channel(&data_.pixels[sample][offset], height, width, place, mean, deviation, fill_of(c), &nth(out, c),
                    channels);
    } else {
      write_channel(&data_.features[sample][offset], height, width, place, mean, deviation, fill_of(c), &nth(out, c),
                    channels);
    }
  }
  if (!augment || change.cutout <= 0) return;
  const std::int64_t top = random.integer(0, height - 1) - change.cutout / 2;
  const std::int64_t left = random.integer(0, width - 1) - change.cutout / 2;
  for (std::int64_t r = std::max<std::int64_t>(top, 0); r < std::min(top + change.cutout, height); ++r) {
    for (std::int64_t x = std::max<std::int64_t>(left, 0); x < std::min(left + change.cutout, width); ++x) {
      for (std::int64_t c = 0; c < channels; ++c) nth(out, (r * width + x) * channels + c) = fill_of(c);
    }
  }
}

}  // namespace trimtab
