#include "emit/board/link.h"

#include <algorithm>

#include "base/error.h"

namespace trimtab {
namespace {

constexpr std::int64_t largest_frame = 1 << 16;  // of a board
constexpr std::size_t head = TRIMTAB_LINK_HEAD_BYTES;

void append(void* to, std::uint8_t byte) { static_cast<std::vector<std::uint8_t>*>(to)->push_back(byte); }

std::vector<std::uint8_t> two_numbers(std::uint32_t first, std::uint32_t second) {
  std::vector<std::uint8_t> body(8);
  trimtab_link_put(body.data(), first);
  trimtab_link_put(body.data() + 4, second);
  return body;
}

std::size_t short_number(const std::uint8_t* bytes) { return bytes[0] + std::size_t{256} * bytes[1]; }

}  // namespace

BoardLink::BoardLink(Line& line, LinkPatience patience)
    : line_(line), patience_(patience), frame_(static_cast<std::size_t>(largest_frame) + 16) {
  reader_.bytes = frame_.data();
  reader_.capacity = static_cast<std::uint32_t>(frame_.size());
}

void BoardLink::give_up() const {
  if (frames_ > 0)
    throw failure("the board at {} answers no longer, after {} tries; reset it and check the line", name(),
                  patience_.tries);
  if (bytes_ > 0) {
    throw failure(
        "{} sends {} bytes that are no answer; check --baud, and that the board runs OUT/device with NAME_board.c and "
        "writes nothing else to the line",
        name(), bytes_);
  }
  throw failure(
      "nothing answers at {}; check the line and --baud, and that the board runs OUT/device with NAME_board.c", name());
}

/// Drops what came before a request: answers to earlier ones, and refusals of what was no request.
void BoardLink::drop_received() {
  constexpr int most_reads = 64;  // a line that never falls silent
  pending_at_ = 0;
  for (int i = 0; i < most_reads; ++i) {
    pending_.resize(4096);
    const std::size_t count = line_.read(pending_, line_.now());
    bytes_ += static_cast<std::int64_t>(count);
    if (count == 0) break;
  }
  pending_.clear();
}

std::optional<BoardLink::Answer> BoardLink::next_frame(Line::Time deadline, std::uint8_t& sequence) {
  for (;;) {
    while (pending_at_ < pending_.size()) {
      const std::int32_t size = trimtab_link_receive(&reader_, pending_[pending_at_++]);
      if (size == 0) continue;
      if (size < 0) return Answer{};  // damaged
      ++frames_;
      sequence = frame_[1];
      return Answer{frame_[0], {frame_.begin() + head, frame_.begin() + size}};
    }
    if (line_.now() >= deadline) return std::nullopt;
    pending_.resize(4096);
    pending_at_ = 0;
    const std::size_t count = line_.read(pending_, deadline);
    pending_.resize(count);
    if (count == 0) return std::nullopt;
    bytes_ += static_cast<std::int64_t>(count);
  }
}

/// The answer to the last request; nothing where it did not come, or the request or a frame of the board is damaged.
std::optional<BoardLink::Answer> BoardLink::await(trimtab_link_type type, Line::Time deadline) {
  std::uint8_t sequence = 0;
  while (std::optional<Answer> answer = next_frame(deadline, sequence)) {
    if (answer->type == 0) return std::nullopt;
    const bool refused = answer->type == TRIMTAB_LINK_REFUSAL && answer->body.size() == 1;
    if (refused && answer->body[0] == TRIMTAB_LINK_DAMAGED) return std::nullopt;
    if (sequence == sequence_ && (refused || answer->type == type)) return answer;
  }
  return std::nullopt;
}

BoardLink::Answer BoardLink::ask(trimtab_link_type type, std::span<const std::uint8_t> body,
                                 std::chrono::milliseconds wait) {
  std::vector<std::uint8_t> frame(head + body.size() + TRIMTAB_LINK_CHECK_BYTES);
  frame[0] = static_cast<std::uint8_t>(type);
  frame[1] = ++sequence_;
  std::ranges::copy(body, frame.begin() + head);
  std::vector<std::uint8_t> bytes;
  trimtab_link_send(append, &bytes, frame.data(), static_cast<std::uint32_t>(head + body.size()));
  drop_received();
  for (int attempt = 0; attempt < patience_.tries; ++attempt) {
    if (attempt > 0) ++repeated_;
    const Line::Time deadline = line_.now() + wait;
    line_.write(bytes, deadline);
    if (std::optional<Answer> answer = await(type, deadline)) return *answer;
  }
  give_up();
}

BoardInfo BoardLink::greet() {
  const Answer answer = ask(TRIMTAB_LINK_HELLO, {}, patience_.answer);
  const std::vector<std::uint8_t>& body = answer.body;
  if (body.size() < 5 || !std::equal(body.begin(), body.begin() + 4, "TRIM")) give_up();
  if (body[4] != TRIMTAB_LINK_VERSION || body.size() != TRIMTAB_LINK_HELLO_BYTES) {
    throw bad_input(
        "the board at {} speaks version {} of the protocol, this command version {}; build the firmware from "
        "OUT/device again",
        name(), body[4], static_cast<int>(TRIMTAB_LINK_VERSION));
  }
  BoardInfo info;
  info.counts_cycles = body[5] != 0;
  info.points = short_number(body.data() + 6);
  info.layers = short_number(body.data() + 8);
  info.frame_bytes = trimtab_link_get(body.data() + 10);
  info.input_bytes = trimtab_link_get(body.data() + 14);
  info.output_bytes = trimtab_link_get(body.data() + 18);
  info.hash.assign(body.begin() + 22, body.end());
  if (info.frame_bytes < 4 || info.frame_bytes > largest_frame)
    throw bad_input("the board at {} takes {} bytes in a frame; build it with TRIMTAB_BOARD_FRAME_BYTES from 4 to {}",
                    name(), info.frame_bytes, largest_frame);
  return info;
}

std::optional<std::vector<std::uint8_t>> BoardLink::fetch(trimtab_link_type type, std::int64_t total,
                                                          std::int64_t item_bytes, std::int64_t most) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t first = 0; first < total;) {
    const std::int64_t count = std::min(total - first, most / item_bytes);
    const Answer answer =
        ask(type, two_numbers(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count)), patience_.answer);
    if (answer.type != type || std::ssize(answer.body) != count * item_bytes) return std::nullopt;
    bytes.insert(bytes.end(), answer.body.begin(), answer.body.end());
    first += count;
  }
  return bytes;
}

/// Nothing where the board lost the sample or its result on the way.
std::optional<BoardRun> BoardLink::try_run(const BoardInfo& board, std::span<const std::uint8_t> sample,
                                           std::size_t point) {
  const auto most = static_cast<std::size_t>(board.frame_bytes);
  for (std::size_t first = 0; first < sample.size(); first += most) {
    const auto part = sample.subspan(first, std::min(most, sample.size() - first));
    std::vector<std::uint8_t> body(4);
    trimtab_link_put(body.data(), static_cast<std::uint32_t>(first));
    body.insert(body.end(), part.begin(), part.end());
    if (ask(TRIMTAB_LINK_INPUT, body, patience_.answer).type != TRIMTAB_LINK_INPUT) return std::nullopt;
  }
  const std::uint32_t crc = trimtab_link_crc(sample.data(), static_cast<std::uint32_t>(sample.size()));
  const Answer ran = ask(TRIMTAB_LINK_RUN, two_numbers(static_cast<std::uint32_t>(point), crc), patience_.run);
  if (ran.type != TRIMTAB_LINK_RUN || ran.body.size() != 12) return std::nullopt;
  BoardRun run;
  run.cycles = static_cast<std::int64_t>(trimtab_link_get(ran.body.data() + 4) |
                                         std::uint64_t{trimtab_link_get(ran.body.data() + 8)} << 32);
  auto output = fetch(TRIMTAB_LINK_OUTPUT, board.output_bytes, 1, board.frame_bytes);
  if (!output ||
      trimtab_link_crc(output->data(), static_cast<std::uint32_t>(output->size())) != trimtab_link_get(ran.body.data()))
    return std::nullopt;
  run.output = std::move(*output);
  const auto layers = fetch(TRIMTAB_LINK_LAYERS, static_cast<std::int64_t>(board.layers), 4, board.frame_bytes);
  if (!layers) return std::nullopt;
  for (std::size_t i = 0; i < board.layers; ++i) run.layer_cycles.push_back(trimtab_link_get(layers->data() + 4 * i));
  return run;
}

BoardRun BoardLink::run(const BoardInfo& board, std::span<const std::uint8_t> sample, std::size_t point) {
  for (int attempt = 0; attempt < patience_.tries; ++attempt) {
    if (attempt > 0) ++repeated_;
    if (std::optional<BoardRun> run = try_run(board, sample, point)) return *run;
  }
  throw failure("the board at {} loses a sample again and again, after {} tries; check its supply and the line", name(),
                patience_.tries);
}

}  // namespace trimtab
