#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace trimtab {

/// Exit codes of the command.
enum class ExitCode : int {
  success = 0,
  failure = 1,        ///< a fault that is neither the input's nor a bound's
  bad_input = 2,      ///< something that came from outside is wrong
  bound_not_met = 3,  ///< a bound (flash, RAM, time, accuracy) cannot be met
};

/// The only exception this project throws. Its text is one sentence for the user: what is wrong, where, and what would
/// be right.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// `throw bad_input("{} has {} bytes; {} are needed", path, have, need);`
template <typename... Arguments>
[[nodiscard]] Error bad_input(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return {ExitCode::bad_input, fmt::format(format, std::forward<Arguments>(arguments)...)};
}

template <typename... Arguments>
[[nodiscard]] Error bound_not_met(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return {ExitCode::bound_not_met, fmt::format(format, std::forward<Arguments>(arguments)...)};
}

template <typename... Arguments>
[[nodiscard]] Error failure(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return {ExitCode::failure, fmt::format(format, std::forward<Arguments>(arguments)...)};
}

}  // namespace trimtab
