#include "thermal/ambient_memory.h"

#include <algorithm>
#include <cmath>

#include "base/index.h"

namespace trimtab::thermal {

void RecentHighest::see(double now_s, double value) {
  const auto bucket = static_cast<std::int64_t>(std::floor(now_s / bucket_s_));
  const std::int64_t count = std::ssize(highest_);
  for (std::int64_t i = std::max(bucket_ + 1, bucket - count + 1); i <= bucket; ++i) nth(highest_, i % count) = none;
  bucket_ = std::max(bucket_, bucket);
  nth(highest_, bucket_ % count) = std::max(nth(highest_, bucket_ % count), value);
}

double RecentHighest::value() const { return *std::max_element(highest_.begin(), highest_.end()); }

void AmbientMemory::see(double now_s, double dt, double ambient_c) {
  smooth_ =
      smooth_ == RecentHighest::none ? ambient_c : smooth_ + std::min(1.0, dt / smoothing_s) * (ambient_c - smooth_);
  day_.see(now_s, smooth_);
  minutes_.see(now_s, smooth_);
}

}  // namespace trimtab::thermal
