#pragma once

#include <map>
#include <optional>
#include <string>

namespace trimtab::thermal {

/// Lets a message of a kind through once in ten minutes, and then says how many more of the kind there were. Messages
/// that differ only in their digits are of one kind.
class LogLimit {
 public:
  /// The line to log now; empty where this message is to wait.
  [[nodiscard]] std::optional<std::string> pass(double now_s, const std::string& message);

  static constexpr double quiet_s = 600;

 private:
  struct Kind {
    double last_s = 0;
    int held_back = 0;
  };
  std::map<std::string, Kind> kinds_;
};

}  // namespace trimtab::thermal
