#pragma once

#include <vector>

#include "emit/board/line.h"

namespace trimtab {

/// A serial port of this machine: 8 bits, no parity, no flow control.
class SerialPort : public Line {
 public:
  /// Throws Error (bad input) where the path is no serial port, another command has it, or it has no such speed.
  SerialPort(const std::string& path, std::int64_t baud);
  ~SerialPort() override;
  SerialPort(const SerialPort&) = delete;
  SerialPort& operator=(const SerialPort&) = delete;
  SerialPort(SerialPort&&) = delete;
  SerialPort& operator=(SerialPort&&) = delete;

  [[nodiscard]] std::string name() const override { return path_; }
  [[nodiscard]] Time now() const override { return std::chrono::steady_clock::now(); }
  /// Both throw Error (failure) where the port is gone.
  void write(std::span<const std::uint8_t> bytes, Time deadline) override;
  [[nodiscard]] std::size_t read(std::span<std::uint8_t> bytes, Time deadline) override;

  /// Speeds that ports can be set to.
  [[nodiscard]] static std::vector<std::int64_t> speeds();

 private:
  bool wait(short events, Time deadline) const;
  [[noreturn]] void fail() const;

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace trimtab
