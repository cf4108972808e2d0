#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "base/index.h"

namespace trimtab {

/// Samples of `sample_size` values each, which never change. Copies and picks share the values: they cost no more than
/// a list of indices, and any number of threads may read them.
template <typename T>
class Samples {
 public:
  Samples() = default;

  /// `values` holds sample after sample; its size is a multiple of `sample_size`.
  Samples(std::vector<T> values, std::int64_t sample_size)
      : values_(std::make_shared<const std::vector<T>>(std::move(values))),
        sample_size_(sample_size),
        order_(sample_size > 0 ? values_->size() / static_cast<std::size_t>(sample_size) : 0) {
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
  }

  [[nodiscard]] bool empty() const { return order_.empty(); }
  [[nodiscard]] std::int64_t size() const { return std::ssize(order_); }
  [[nodiscard]] std::int64_t sample_size() const { return sample_size_; }

  /// The values of sample `index`, valid as long as these samples or any picked from them.
  [[nodiscard]] std::span<const T> operator[](std::int64_t index) const {
    const auto length = static_cast<std::size_t>(sample_size_);
    return std::span(*values_).subspan(static_cast<std::size_t>(nth(order_, index)) * length, length);
  }

  /// The samples with these indices, in their order. None of none.
  [[nodiscard]] Samples pick(std::span<const std::int64_t> indices) const {
    Samples picked;
    if (empty()) return picked;
    picked.values_ = values_;
    picked.sample_size_ = sample_size_;
    picked.order_.reserve(indices.size());
    for (const std::int64_t index : indices) picked.order_.push_back(nth(order_, index));
    return picked;
  }

  /// A copy of all values, sample after sample.
  [[nodiscard]] std::vector<T> values() const {
    std::vector<T> all;
    all.reserve(order_.size() * static_cast<std::size_t>(sample_size_));
    for (std::int64_t i = 0; i < size(); ++i) all.insert(all.end(), (*this)[i].begin(), (*this)[i].end());
    return all;
  }

  /// The same samples in values of their own: what they were picked from can be freed.
  [[nodiscard]] Samples separate() const { return empty() ? Samples{} : Samples(values(), sample_size_); }

  friend bool operator==(const Samples& a, const Samples& b) {
    if (a.size() != b.size() || a.sample_size_ != b.sample_size_) return false;
    for (std::int64_t i = 0; i < a.size(); ++i) {
      if (!std::ranges::equal(a[i], b[i])) return false;
    }
    return true;
  }

 private:
  std::shared_ptr<const std::vector<T>> values_;
  std::int64_t sample_size_ = 0;
  std::vector<std::int64_t> order_;  ///< of every sample: its number in `values_`
};

}  // namespace trimtab
