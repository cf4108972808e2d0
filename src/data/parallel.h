#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace trimtab {

/// Calls `work(i)` for every i in [0, count) from as many threads as there are cores. Calls must not depend on each
/// other. Rethrows the exception of the smallest i that failed, so that a message does not depend on timing.
template <typename Work>
void parallel_for(std::int64_t count, const Work& work) {
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> failed{count};
  std::exception_ptr error;
  std::mutex mutex;
  const auto run = [&] {
    for (std::int64_t i = next++; i < failed; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (i < failed) {
          failed = i;
          error = std::current_exception();
        }
      }
    }
  };
  const auto cores = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  {
    std::vector<std::jthread> helpers;
    for (std::int64_t i = 1; i < std::min(cores, count); ++i) helpers.emplace_back(run);
    run();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace trimtab
