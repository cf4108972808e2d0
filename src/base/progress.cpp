#include "base/progress.h"

#include <unistd.h>

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "base/units.h"

namespace trimtab {

Progress::Progress(std::string what, std::int64_t total)
    : what_(std::move(what)),
      total_(total),
      shown_(::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (shown_ && printed_ != std::chrono::steady_clock::time_point{}) std::fputs("\r\033[K", stderr);
}

void Progress::update(std::int64_t done, const std::string& note) {
  if (!shown_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - printed_ < std::chrono::milliseconds(200) && done < total_) return;
  printed_ = now;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double left = done > 0 ? elapsed / static_cast<double>(done) * static_cast<double>(total_ - done) : 0;
  std::fputs(fmt::format("\r\033[K{} {:3.0f} %  {} left  {}", what_,
                         total_ > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(total_) : 100.0,
                         format_duration(left), note)
                 .c_str(),
             stderr);
}

}  // namespace trimtab
