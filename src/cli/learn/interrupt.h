#pragma once

#include <array>
#include <atomic>

namespace trimtab::cli {

/// While it lives, the first SIGINT (Ctrl-C), SIGTERM or SIGHUP sets a flag for TrainOptions::interrupted instead of
/// ending the process: training saves and stops after its step. A second one ends the process at once. There is one
/// guard at a time. Where a caller has a flag of its own, signals stay as they are.
class InterruptGuard {
 public:
  explicit InterruptGuard(const std::atomic<bool>* of_caller = nullptr);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  InterruptGuard(InterruptGuard&&) = delete;
  InterruptGuard& operator=(InterruptGuard&&) = delete;

  [[nodiscard]] const std::atomic<bool>* flag() const;

 private:
  const std::atomic<bool>* of_caller_;
  std::array<void (*)(int), 3> before_{};
};

/// While it lives, a process whose work is stored step by step says so when a signal ends it.
class ResumeNotice {
 public:
  ResumeNotice();
  ~ResumeNotice();
  ResumeNotice(const ResumeNotice&) = delete;
  ResumeNotice& operator=(const ResumeNotice&) = delete;
  ResumeNotice(ResumeNotice&&) = delete;
  ResumeNotice& operator=(ResumeNotice&&) = delete;

 private:
  std::array<void (*)(int), 3> before_{};
};

}  // namespace trimtab::cli
