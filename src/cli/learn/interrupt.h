#pragma once

#include <atomic>

namespace trimtab::cli {

/// While it lives, the first Ctrl-C sets a flag for TrainOptions::interrupted instead of ending the process: training
/// saves and stops after its step. A second one ends the process at once. There is one guard at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  InterruptGuard(InterruptGuard&&) = delete;
  InterruptGuard& operator=(InterruptGuard&&) = delete;

  [[nodiscard]] const std::atomic<bool>* flag() const;

 private:
  void (*before_)(int);
};

}  // namespace trimtab::cli
