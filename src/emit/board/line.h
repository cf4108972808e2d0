#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace trimtab {

/// A line to a board that may lose, damage and add bytes.
class Line {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Line() = default;
  virtual ~Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  Line(Line&&) = delete;
  Line& operator=(Line&&) = delete;

  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual Time now() const = 0;
  /// Sends the bytes. Those that do not leave before the deadline are lost.
  virtual void write(std::span<const std::uint8_t> bytes, Time deadline) = 0;
  /// Waits for bytes: how many came, 0 where none came before the deadline.
  [[nodiscard]] virtual std::size_t read(std::span<std::uint8_t> bytes, Time deadline) = 0;
};

}  // namespace trimtab
