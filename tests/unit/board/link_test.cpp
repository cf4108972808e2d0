// The host's side of the line against the board's own code, compiled for this machine, over a line whose time passes
// only while nothing is on it: losses, damage, garbage, resets and boards that are none.

#include "emit/board/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "trimtab/board_harness.h"

namespace trimtab {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t input_bytes = 1300;  // three frames
constexpr std::uint32_t output_bytes = 700;  // two frames
constexpr std::uint32_t layers = 3;

/// A network of arithmetic in the place of a real one, with its memory. It wipes its input, as an arena does.
struct Network {
  std::array<std::uint8_t, input_bytes> input{};
  std::array<std::uint8_t, output_bytes> output{};
  std::array<std::uint32_t, layers> cycles{};
  int point = 0;
  int runs = 0;
  std::uint32_t count = 0;
};
Network network;

Bytes answer_to(const Bytes& input, int point) {
  Bytes output(output_bytes);
  for (std::uint32_t i = 0; i < output_bytes; ++i)
    output[i] = static_cast<std::uint8_t>(input[i] + 3 * input[input_bytes - 1 - i] + 17 * point);
  return output;
}

void run_network() {
  const Bytes output = answer_to({network.input.begin(), network.input.end()}, network.point);
  std::ranges::copy(output, network.output.begin());
  network.input.fill(0xaa);
  network.cycles = {0xfffffff0, 7, 0xffffffff};  // more than 32 bits together
  ++network.runs;
}

trimtab_board_network description() {
  trimtab_board_network board{};
  board.hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  board.input_bytes = input_bytes;
  board.output_bytes = output_bytes;
  board.points = 2;
  board.layers = layers;
  board.input = []() -> void* { return network.input.data(); };
  board.run = run_network;
  board.output = []() -> const void* { return network.output.data(); };
  board.set_operating_point = [](int point) { return network.point = point; };
  board.cycles = [] { return network.count += 100; };
  board.layer_cycles = network.cycles.data();
  return board;
}

/// The bytes that arrive in the place of one.
using Fault = std::function<Bytes(std::uint8_t)>;
Bytes faultless(std::uint8_t byte) { return {byte}; }

/// Both ends of the line in one process: a byte that is written reaches the board at once.
class TestLine : public Line {
 public:
  TestLine() { reset_board(); }
  void reset_board() {
    network = {};
    network_ = description();
    trimtab_board_begin(&board_, &network_, to_host, this);
  }

  [[nodiscard]] std::string name() const override { return "/dev/board"; }
  [[nodiscard]] Time now() const override { return now_; }
  void write(std::span<const std::uint8_t> bytes, Time /*deadline*/) override {
    ++writes;
    for (const std::uint8_t byte : bytes) {
      for (const std::uint8_t arrived : way_there(byte)) {
        if (has_board) trimtab_board_receive(&board_, arrived);
      }
    }
  }
  [[nodiscard]] std::size_t read(std::span<std::uint8_t> bytes, Time deadline) override {
    if (babble && queue_.empty()) {
      now_ += std::chrono::milliseconds(1);
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.bits());
      return bytes.size();
    }
    if (queue_.empty()) {  // silence: the time until the deadline passes
      now_ = deadline;
      return 0;
    }
    const std::size_t count = std::min(bytes.size(), queue_.size());
    std::copy_n(queue_.begin(), count, bytes.begin());
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }

  Fault way_there = faultless;
  Fault way_back = faultless;
  bool has_board = true;
  bool babble = false;
  int writes = 0;
  Random random{5};

 private:
  static void to_host(void* to, std::uint8_t byte) {
    auto& line = *static_cast<TestLine*>(to);
    for (const std::uint8_t arrived : line.way_back(byte)) line.queue_.push_back(arrived);
  }

  trimtab_board_network network_{};
  trimtab_board board_{};
  std::deque<std::uint8_t> queue_;
  Time now_{};
};

Bytes random_sample(Random& random) {
  Bytes sample(input_bytes);
  for (std::uint8_t& byte : sample) byte = static_cast<std::uint8_t>(random.bits() % 5);  // many zeros
  return sample;
}

/// Loses, flips, doubles and adds bytes, each about once in so many.
Fault noise(Random& random, std::uint64_t one_in) {
  return [&random, one_in](std::uint8_t byte) -> Bytes {
    if (random.bits() % one_in != 0) return {byte};
    switch (random.bits() % 4) {
      case 0:
        return {};
      case 1:
        return {static_cast<std::uint8_t>(byte ^ 1U << random.bits() % 8)};
      case 2:
        return {byte, byte};
      default:
        return {byte, 0, static_cast<std::uint8_t>(random.bits())};
    }
  };
}

TEST(BoardLink, RunsSamplesOnACleanLine) {
  TestLine line;
  BoardLink link(line, {});
  const BoardInfo board = link.greet();
  EXPECT_EQ(board.hash, description().hash);
  EXPECT_EQ(board.input_bytes, input_bytes);
  EXPECT_EQ(board.output_bytes, output_bytes);
  EXPECT_EQ(board.points, 2U);
  EXPECT_EQ(board.layers, layers);
  EXPECT_TRUE(board.counts_cycles);
  Random random(1);
  for (const int point : {0, 1, 0}) {
    const Bytes sample = random_sample(random);
    const BoardRun run = link.run(board, sample, static_cast<std::size_t>(point));
    EXPECT_EQ(run.output, answer_to(sample, point));
    EXPECT_EQ(run.layer_cycles, std::vector<std::uint32_t>(network.cycles.begin(), network.cycles.end()));
    EXPECT_EQ(run.cycles, std::int64_t{0xfffffff0} + 7 + 0xffffffff);
  }
  EXPECT_EQ(network.runs, 3);
  EXPECT_EQ(link.repeated(), 0);
}

TEST(BoardLink, CarriesEveryBitOverANoisyLine) {
  for (const std::uint64_t one_in : {3000, 1000, 500}) {
    TestLine line;
    Random faults(one_in);
    line.way_there = noise(faults, one_in);
    line.way_back = noise(faults, one_in);
    LinkPatience patience;
    patience.tries = 40;
    BoardLink link(line, patience);
    const BoardInfo board = link.greet();
    Random random(2);
    for (int i = 0; i < 50; ++i) {
      const Bytes sample = random_sample(random);
      EXPECT_EQ(link.run(board, sample, 1).output, answer_to(sample, 1)) << i;
    }
    EXPECT_GT(link.repeated(), 0);
  }
}

/// Whatever single byte of the exchange is lost or damaged, on either way, the answer is right.
TEST(BoardLink, OutlivesTheLossOfAnyByte) {
  Random random(3);
  const Bytes sample = random_sample(random);
  int bytes = 0;
  const auto run_with = [&](int lost, bool there, bool flip) {
    TestLine line;
    int at = 0;
    const Fault fault = [&, lost, flip](std::uint8_t byte) -> Bytes {
      if (at++ != lost) return {byte};
      return flip ? Bytes{static_cast<std::uint8_t>(byte ^ 0x10)} : Bytes{};
    };
    (there ? line.way_there : line.way_back) = fault;
    BoardLink link(line, {});
    const BoardRun run = link.run(link.greet(), sample, 0);
    bytes = at;
    return run.output == answer_to(sample, 0);
  };
  for (const bool there : {true, false}) {
    ASSERT_TRUE(run_with(-1, there, false));
    for (int lost = 0, all = bytes; lost < all; ++lost) {
      ASSERT_TRUE(run_with(lost, there, false)) << "lost " << lost;
      ASSERT_TRUE(run_with(lost, there, true)) << "flipped " << lost;
    }
  }
}

TEST(BoardLink, DoesNotRunTwiceForAnAnswerThatIsLost) {
  TestLine line;
  BoardLink link(line, {});
  const BoardInfo board = link.greet();
  bool lose = true;
  line.way_back = [&](std::uint8_t byte) -> Bytes {
    if (network.runs == 1 && lose) {
      lose = byte != 0x52;  // from the run's end to the type of its answer, R
      return {};
    }
    return {byte};
  };
  Random random(4);
  const Bytes sample = random_sample(random);
  EXPECT_EQ(link.run(board, sample, 0).output, answer_to(sample, 0));
  EXPECT_EQ(link.repeated(), 1);
  EXPECT_EQ(network.runs, 1);
}

TEST(BoardLink, GivesTheSampleAgainToABoardThatWasReset) {
  Random random(6);
  const Bytes sample = random_sample(random);
  for (int at = 3; at < 10; ++at) {  // before any of the requests of a sample
    TestLine line;
    BoardLink link(line, {});
    const BoardInfo board = link.greet();
    EXPECT_EQ(link.run(board, sample, 0).output, answer_to(sample, 0));
    const int before = line.writes;
    bool done = false;
    line.way_there = [&](std::uint8_t byte) -> Bytes {
      if (!done && line.writes - before == at - 2) {
        done = true;
        line.reset_board();
      }
      return {byte};
    };
    EXPECT_EQ(link.run(board, sample, 0).output, answer_to(sample, 0)) << at;
    EXPECT_TRUE(done);
  }
}

TEST(BoardLink, FindsTheNextFrameBehindGarbage) {
  TestLine line;
  for (int i = 0; i < 100'000; ++i) {
    const auto byte = static_cast<std::uint8_t>(line.random.bits());
    line.write(std::span(&byte, 1), {});
  }
  BoardLink link(line, {});
  EXPECT_EQ(link.greet().input_bytes, input_bytes);
}

std::string failure_of(const std::function<void()>& action, ExitCode code) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(BoardLink, SaysWhatIsNoBoard) {
  TestLine silent;
  silent.has_board = false;
  BoardLink to_nobody(silent, {});
  EXPECT_THAT(failure_of([&] { (void)to_nobody.greet(); }, ExitCode::failure),
              testing::HasSubstr("nothing answers at /dev/board; check the line and --baud"));
  EXPECT_EQ(silent.writes, 10);

  TestLine babbling;
  babbling.has_board = false;
  babbling.babble = true;
  BoardLink to_nonsense(babbling, {});
  EXPECT_THAT(failure_of([&] { (void)to_nonsense.greet(); }, ExitCode::failure),
              testing::ContainsRegex("/dev/board sends [0-9]+ bytes that are no answer"));

  TestLine line;
  BoardLink link(line, {});
  const BoardInfo board = link.greet();
  line.has_board = false;
  EXPECT_THAT(failure_of([&] { (void)link.run(board, Bytes(input_bytes), 0); }, ExitCode::failure),
              testing::HasSubstr("the board at /dev/board answers no longer, after 10 tries"));

  TestLine other;
  other.way_back = [count = 0](std::uint8_t byte) mutable -> Bytes {
    return {count++ < 2 ? byte : static_cast<std::uint8_t>(byte == 0 ? 0 : byte | 1U)};
  };
  BoardLink to_other(other, {});
  EXPECT_THAT(failure_of([&] { (void)to_other.greet(); }, ExitCode::failure), testing::HasSubstr("that are no answer"));
}

/// Requests that no host makes are refused, and nothing is written or read outside of the network.
TEST(BoardHarness, RefusesWhatIsNoRequest) {
  network = {};
  const trimtab_board_network described = description();
  trimtab_board board{};
  Bytes reply;
  trimtab_board_begin(
      &board, &described, [](void* to, std::uint8_t byte) { static_cast<Bytes*>(to)->push_back(byte); }, &reply);
  const auto ask = [&](const Bytes& request) {
    Bytes frame = request;
    frame.resize(request.size() + 4);
    Bytes sent;
    trimtab_link_send([](void* to, std::uint8_t byte) { static_cast<Bytes*>(to)->push_back(byte); }, &sent,
                      frame.data(), static_cast<std::uint32_t>(request.size()));
    reply.clear();
    for (const std::uint8_t byte : sent) trimtab_board_receive(&board, byte);
    Bytes buffer(2000);
    trimtab_link_reader reader{buffer.data(), 2000, 0, 0, 0, 0};
    for (const std::uint8_t byte : reply) {
      const std::int32_t size = trimtab_link_receive(&reader, byte);
      if (size > 0) return Bytes(buffer.begin(), buffer.begin() + size);
    }
    return Bytes{};
  };
  const auto numbers = [](std::uint8_t type, std::uint32_t first, std::uint32_t second) {
    Bytes request(10);
    request[0] = type;
    request[1] = 9;
    trimtab_link_put(request.data() + 2, first);
    trimtab_link_put(request.data() + 6, second);
    return request;
  };
  const Bytes unknown{'E', 9, TRIMTAB_LINK_UNKNOWN};
  EXPECT_EQ(ask({'?', 9}), unknown);
  EXPECT_EQ(ask({'R', 9}), unknown);
  EXPECT_EQ(ask({'I', 9, 1}), unknown);
  EXPECT_EQ(ask(numbers('I', input_bytes - 3, 0)), unknown);  // four bytes of data
  EXPECT_EQ(ask(numbers('I', 0xffffffff, 0)), unknown);
  EXPECT_EQ(ask(numbers('R', 2, 0)), unknown);  // two points
  EXPECT_EQ(ask(numbers('R', 0, 1)), (Bytes{'E', 9, TRIMTAB_LINK_NO_INPUT}));
  EXPECT_EQ(ask(numbers('O', 0, 1)), (Bytes{'E', 9, TRIMTAB_LINK_NO_RESULT}));
  EXPECT_EQ(ask(numbers('L', 0, 1)), (Bytes{'E', 9, TRIMTAB_LINK_NO_RESULT}));
  EXPECT_EQ(ask(numbers('O', output_bytes, 1)), unknown);
  EXPECT_EQ(ask(numbers('O', 0, 513)), unknown);
  EXPECT_EQ(ask(numbers('O', 1, 0xffffffff)), unknown);
  EXPECT_EQ(ask(numbers('L', layers, 1)), unknown);
  EXPECT_EQ(ask(numbers('L', 0xfffffffe, 4)), unknown);
  EXPECT_EQ(network.runs, 0);
}

/// CRC-32 and COBS against their published examples.
TEST(Frames, AreAsPublished) {
  EXPECT_EQ(trimtab_link_crc("123456789", 9), 0xcbf43926U);
  const auto encoded = [](Bytes body) {
    Bytes sent;
    const auto size = static_cast<std::uint32_t>(body.size());
    body.resize(body.size() + 4);
    trimtab_link_send([](void* to, std::uint8_t byte) { static_cast<Bytes*>(to)->push_back(byte); }, &sent, body.data(),
                      size);
    return sent;
  };
  // 11 22 00 33 and its CRC-32, which holds no 0
  const Bytes small = encoded({0x11, 0x22, 0x00, 0x33});
  EXPECT_EQ(Bytes(small.begin(), small.begin() + 5), (Bytes{0x00, 0x03, 0x11, 0x22, 0x06}));
  EXPECT_EQ(small.size(), 4U + 4U + 1U + 2U);
  EXPECT_EQ(small.back(), 0);
  for (const std::size_t size : {2, 250, 251, 252, 253, 254, 255, 256, 504, 505, 508, 509}) {
    for (const std::uint8_t fill : Bytes{0, 1}) {
      const Bytes body(size, fill);
      Bytes buffer(600);
      trimtab_link_reader reader{buffer.data(), 600, 0, 0, 0, 0};
      std::int32_t received = 0;
      for (const std::uint8_t byte : encoded(body)) {
        if (received == 0) received = trimtab_link_receive(&reader, byte);
      }
      EXPECT_EQ(Bytes(buffer.begin(), buffer.begin() + std::max(received, 0)), body) << size;
    }
  }
}

}  // namespace
}  // namespace trimtab
