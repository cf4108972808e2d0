#include "cli/learn/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

namespace trimtab::cli {
namespace {

std::atomic<bool> interrupted{false};  // what a signal handler may touch

void interrupt(int signal) {
  interrupted = true;
  std::signal(signal, SIG_DFL);
  constexpr std::string_view text = "\ntraining saves and stops after this step; Ctrl-C again ends at once\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

InterruptGuard::InterruptGuard() : before_(std::signal(SIGINT, interrupt)) {}
InterruptGuard::~InterruptGuard() { std::signal(SIGINT, before_); }

const std::atomic<bool>* InterruptGuard::flag() const { return &interrupted; }

}  // namespace trimtab::cli
