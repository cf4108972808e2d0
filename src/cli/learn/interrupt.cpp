#include "cli/learn/interrupt.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <string_view>

namespace trimtab::cli {
namespace {

std::atomic<bool> interrupted{false};  // what a signal handler may touch

constexpr std::array ending_signals{SIGINT, SIGTERM, SIGHUP};

void interrupt(int /*signal*/) {
  interrupted = true;
  for (const int signal : ending_signals) std::signal(signal, SIG_DFL);
  constexpr std::string_view text =
      "\ntraining saves and stops after this step, and the same command continues; a second signal ends at once\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

void say_and_end(int signal) {
  constexpr std::string_view text = "\nstopped; the same command continues where it was\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void set_handlers(void (*handler)(int), std::array<void (*)(int), 3>& before) {
  for (std::size_t i = 0; i < ending_signals.size(); ++i) {
    before[i] = std::signal(ending_signals[i], handler);
    // nohup and shells that start work in the background
    if (before[i] == SIG_IGN) std::signal(ending_signals[i], SIG_IGN);
  }
}

void reset_handlers(const std::array<void (*)(int), 3>& before) {
  for (std::size_t i = 0; i < ending_signals.size(); ++i) std::signal(ending_signals[i], before[i]);
}

}  // namespace

InterruptGuard::InterruptGuard(const std::atomic<bool>* of_caller) : of_caller_(of_caller) {
  if (of_caller_ == nullptr) set_handlers(interrupt, before_);
}
InterruptGuard::~InterruptGuard() {
  if (of_caller_ == nullptr) reset_handlers(before_);
}

ResumeNotice::ResumeNotice() { set_handlers(say_and_end, before_); }
ResumeNotice::~ResumeNotice() { reset_handlers(before_); }

const std::atomic<bool>* InterruptGuard::flag() const { return of_caller_ == nullptr ? &interrupted : of_caller_; }

}  // namespace trimtab::cli
