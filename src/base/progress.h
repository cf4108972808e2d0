#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace trimtab {

/// One line on standard error that tells how far long work is and when it will end. Prints nothing where standard error
/// is not a terminal.
class Progress {
 public:
  /// `total` steps of `what`, for instance ("epoch 3/20", 391).
  Progress(std::string what, std::int64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;

  /// `done` steps are over; `note` follows the time, for instance "loss 1.234".
  void update(std::int64_t done, const std::string& note = {});

 private:
  std::string what_;
  std::int64_t total_;
  bool shown_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point printed_;
};

}  // namespace trimtab
