#include "emit/board/serial_port.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace trimtab {
namespace {

constexpr std::array<std::pair<std::int64_t, speed_t>, 13> speed_codes = {{{9600, B9600},
                                                                           {19200, B19200},
                                                                           {38400, B38400},
                                                                           {57600, B57600},
                                                                           {115200, B115200},
                                                                           {230400, B230400},
                                                                           {460800, B460800},
                                                                           {500000, B500000},
                                                                           {576000, B576000},
                                                                           {921600, B921600},
                                                                           {1000000, B1000000},
                                                                           {1500000, B1500000},
                                                                           {2000000, B2000000}}};

}  // namespace

std::vector<std::int64_t> SerialPort::speeds() {
  std::vector<std::int64_t> speeds;
  for (const auto& [baud, code] : speed_codes) speeds.push_back(baud);
  return speeds;
}

SerialPort::SerialPort(const std::string& path, std::int64_t baud) : path_(path) {
  const auto* const speed = std::ranges::find(speed_codes, baud, [](const auto& known) { return known.first; });
  if (speed == speed_codes.end())
    throw bad_input("no serial port runs at {} baud; there are {}", baud, fmt::join(speeds(), ", "));
  const int descriptor = ::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) {
    throw bad_input("the serial port {} cannot be opened: {}; give a device such as /dev/ttyACM0", path,
                    std::strerror(errno));
  }
  const auto refuse = [&](const Error& error) {
    ::close(descriptor);
    throw error;
  };
  termios settings{};
  if (::isatty(descriptor) != 1 || ::tcgetattr(descriptor, &settings) != 0)
    refuse(bad_input("{} is no serial port; give a device such as /dev/ttyACM0", path));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) refuse(bad_input("another command uses the serial port {}", path));
  ::cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  settings.c_cflag &= ~static_cast<tcflag_t>(CSTOPB | CRTSCTS);
  if (::cfsetspeed(&settings, speed->second) != 0 || ::tcsetattr(descriptor, TCSANOW, &settings) != 0)
    refuse(bad_input("the serial port {} does not run at {} baud: {}", path, baud, std::strerror(errno)));
  ::tcflush(descriptor, TCIOFLUSH);
  descriptor_ = descriptor;
}

SerialPort::~SerialPort() { ::close(descriptor_); }

void SerialPort::fail() const {
  throw failure("the serial port {} is gone ({}); connect the board again", path_,
                errno != 0 ? std::strerror(errno) : "it was closed");
}

bool SerialPort::wait(short events, Time deadline) const {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now()) + std::chrono::milliseconds(1);
  pollfd one{descriptor_, events, 0};
  const int count = ::poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30)));
  if (count < 0 && errno != EINTR) fail();
  return count > 0;
}

void SerialPort::write(std::span<const std::uint8_t> bytes, Time deadline) {
  while (!bytes.empty()) {
    errno = 0;
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      continue;
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR) fail();
    if (now() >= deadline) return;
    (void)wait(POLLOUT, deadline);
  }
}

std::size_t SerialPort::read(std::span<std::uint8_t> bytes, Time deadline) {
  for (;;) {
    errno = 0;
    const ssize_t count = ::read(descriptor_, bytes.data(), bytes.size());
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) fail();
    if (now() >= deadline) return 0;
    (void)wait(POLLIN, deadline);
  }
}

}  // namespace trimtab
