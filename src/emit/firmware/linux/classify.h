// SPDX-License-Identifier: Apache-2.0
#pragma once

// A program around a network: reads images or raw inputs, runs the network on them, once or in a loop, and prints a
// line for every inference. Several threads run inferences at the same time, each in an arena of its own. The operating
// point comes from an argument, from a file that is read before every inference, or from the signal SIGUSR1, which
// chooses the next one. C++17 on Linux, with -pthread.

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace trimtab_classify {

/// The functions and sizes of NAME.h, of an arena of the caller's.
struct Network {
  const char* name;
  size_t arena_bytes, arena_alignment, input_bytes, output_bytes;
  int height, width, channels;
  bool has_pixels;  ///< the input is of unsigned bytes
  int points;
  const char* const* class_names;  ///< or null
  void* (*input)(void* arena);
  void (*run)(void* arena);
  const void* (*output)(const void* arena);
  int32_t (*answer)(const void* arena);
  int (*set_point)(int);  ///< for all arenas
};

/// Ends the program with the exit code for bad input.
[[noreturn]] inline void refuse(const std::string& what) {
  fprintf(stderr, "classify: %s\n", what.c_str());
  exit(2);
}

inline std::vector<uint8_t> read_all(const std::string& path) {
  constexpr size_t most = size_t{1} << 30;
  FILE* const file = fopen(path.c_str(), "rb");
  if (file == nullptr) refuse("cannot read " + path + ": " + strerror(errno));
  std::vector<uint8_t> bytes;
  uint8_t part[1 << 16];
  for (size_t count = 0; (count = fread(part, 1, sizeof part, file)) > 0;) {
    if (bytes.size() + count > most) refuse(path + " has more than 1 GB; give smaller files");
    bytes.insert(bytes.end(), part, part + count);
  }
  const bool failed = ferror(file) != 0;
  fclose(file);
  if (failed) refuse("cannot read " + path);
  return bytes;
}

/// A whole number of a text that holds nothing else but white space, or -1.
inline long parse_number(const char* text) {
  char* end = nullptr;
  errno = 0;
  const long number = strtol(text, &end, 10);
  if (end == text || errno != 0 || number < 0) return -1;
  while (*end == ' ' || *end == '\n' || *end == '\r' || *end == '\t') ++end;
  return *end == 0 ? number : -1;
}

/// The header of a binary PGM or PPM (netpbm): three numbers behind the magic number, each behind white space or lines
/// of comment. Gives where the pixels begin, or 0.
inline size_t parse_picture_header(const std::vector<uint8_t>& bytes, long (&numbers)[3]) {
  size_t at = 2;
  for (long& number : numbers) {
    for (; at < bytes.size() && (isspace(bytes[at]) != 0 || bytes[at] == '#'); ++at) {
      if (bytes[at] == '#') {
        while (at < bytes.size() && bytes[at] != '\n') ++at;
      }
    }
    number = 0;
    const size_t begin = at;
    for (; at < bytes.size() && isdigit(bytes[at]) != 0 && number < 100000; ++at)
      number = number * 10 + bytes[at] - '0';
    if (at == begin) return 0;
  }
  return at < bytes.size() && isspace(bytes[at]) != 0 ? at + 1 : 0;
}

/// The inputs of a file, one after the other: a picture is one; any other file holds raw inputs.
inline std::vector<uint8_t> read_inputs(const Network& network, const std::string& path) {
  std::vector<uint8_t> bytes = read_all(path);
  const bool gray = bytes.size() > 2 && bytes[0] == 'P' && bytes[1] == '5';
  const bool colour = bytes.size() > 2 && bytes[0] == 'P' && bytes[1] == '6';
  if ((gray || colour) && network.has_pixels && bytes.size() % network.input_bytes != 0) {
    long numbers[3];
    const size_t begin = parse_picture_header(bytes, numbers);
    const int channels = gray ? 1 : 3;
    if (begin == 0 || numbers[2] != 255 || bytes.size() - begin != size_t(numbers[0]) * size_t(numbers[1]) * channels) {
      refuse(path + " is no whole picture of 8 bits; give a binary PGM or PPM");
    }
    if (numbers[0] != network.width || numbers[1] != network.height || channels != network.channels) {
      refuse(path + " is " + std::to_string(numbers[0]) + " x " + std::to_string(numbers[1]) + " x " +
             std::to_string(channels) + "; the network takes " + std::to_string(network.width) + " x " +
             std::to_string(network.height) + " x " + std::to_string(network.channels));
    }
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<long>(begin));
  }
  if (bytes.empty() || bytes.size() % network.input_bytes != 0) {
    refuse(path + " has " + std::to_string(bytes.size()) + " bytes; give a picture, or inputs of " +
           std::to_string(network.input_bytes) + " bytes each");
  }
  return bytes;
}

constexpr long most_threads = 256;

struct Options {
  bool loop = false;
  long count = -1;   ///< inferences; -1: all inputs once
  long threads = 1;  ///< that run inferences at the same time
  std::string point_file, outputs;
  std::vector<std::string> files;
};

inline volatile sig_atomic_t stop = 0;
inline volatile sig_atomic_t next_point = 0;

/// Follows the wishes for an operating point. The point is one for all threads: it changes when no inference runs.
class Points {
 public:
  Points(const Network& network, std::string file) : network_(network), file_(std::move(file)) {
    if (!file_.empty() && !follow_file()) refuse(complaint());
  }

  void choose(long point) {
    if (point == point_) return;
    const std::unique_lock<std::shared_mutex> nothing_runs(running_);
    if (network_.set_point(static_cast<int>(point)) == 0) point_ = static_cast<int>(point);
  }

  /// Before an inference, by one thread at a time. A file that turns bad is told once; the point stays.
  int now() {
    if (!file_.empty()) {
      const bool good = follow_file();
      if (!good && was_good_) fprintf(stderr, "classify: %s; point %d stays\n", complaint().c_str(), point_);
      was_good_ = good;
    } else if (next_point > 0) {
      choose((point_ + next_point) % network_.points);
      next_point = 0;
    }
    return point_;
  }

  /// As long as it lives, the point stays.
  std::shared_lock<std::shared_mutex> hold() { return std::shared_lock<std::shared_mutex>(running_); }

 private:
  /// An empty file is one that is being written.
  bool follow_file() {
    char text[64] = {};
    FILE* const file = fopen(file_.c_str(), "rb");
    if (file == nullptr) return false;
    const size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    if (bytes == 0) return true;
    const long point = memchr(text, 0, bytes) == nullptr ? parse_number(text) : -1;
    if (point < 0 || point >= network_.points) return false;
    choose(point);
    return true;
  }
  std::string complaint() const {
    return file_ + " holds no operating point; write a number from 0 to " + std::to_string(network_.points - 1) +
           " into it";
  }

  const Network& network_;
  std::string file_;
  std::shared_mutex running_;  ///< shared by the inferences that run
  int point_ = 0;
  bool was_good_ = true;
};

inline void print_usage(const Network& network) {
  printf(
      "usage: classify [--loop] [--count N] [--threads N] [--point K | --point-file FILE] [--outputs FILE] FILE...\n"
      "Runs the network '%s' on binary PGM or PPM pictures, or on raw inputs of %zu bytes (several in a file follow\n"
      "each other), and prints file, input, answer, operating point and milliseconds, tabs between them.\n"
      "  --loop             begin again behind the last input, until a signal ends the program\n"
      "  --count N          end after N inferences\n"
      "  --threads N        run N inferences at the same time, 1 to %ld, each with an arena of its own (1)\n"
      "  --point K          operating point, 0 to %d\n"
      "  --point-file FILE  read the operating point from FILE before every inference\n"
      "  --outputs FILE     write the network's outputs there, %zu bytes each\n"
      "SIGUSR1 chooses the next operating point.\n",
      network.name, network.input_bytes, most_threads, network.points - 1, network.output_bytes);
}

inline Options parse(const Network& network, int count, char** arguments, long& point) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const auto value = [&] {
      if (i + 1 >= count) refuse(argument + " needs a value");
      return arguments[++i];
    };
    if (argument == "--help") {
      print_usage(network);
      exit(0);
    } else if (argument == "--loop") {
      options.loop = true;
    } else if (argument == "--count") {
      options.count = parse_number(value());
      if (options.count < 1) refuse("--count needs a number from 1 on");
    } else if (argument == "--threads") {
      options.threads = parse_number(value());
      if (options.threads < 1 || options.threads > most_threads) {
        refuse("--threads needs a number from 1 to " + std::to_string(most_threads));
      }
    } else if (argument == "--point") {
      point = parse_number(value());
      if (point < 0 || point >= network.points) {
        refuse("--point needs a number from 0 to " + std::to_string(network.points - 1));
      }
    } else if (argument == "--point-file") {
      options.point_file = value();
    } else if (argument == "--outputs") {
      options.outputs = value();
    } else if (argument.size() > 1 && argument[0] == '-') {
      refuse("there is no option " + argument + "; see --help");
    } else {
      options.files.push_back(argument);
    }
  }
  if (options.files.empty()) refuse("give at least one picture or file of inputs; see --help");
  if (point > 0 && !options.point_file.empty()) refuse("--point and --point-file exclude each other; give one of them");
  return options;
}

inline double milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

inline void install_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = [](int) { next_point = next_point + 1; };
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
}

/// Aligned memory for one inference at a time.
class Arena {
 public:
  explicit Arena(const Network& network) : bytes_(network.arena_bytes + network.arena_alignment) {
    const size_t beyond = reinterpret_cast<uintptr_t>(bytes_.data()) % network.arena_alignment;
    start_ = beyond == 0 ? 0 : network.arena_alignment - beyond;
  }
  void* data() { return bytes_.data() + start_; }

 private:
  std::vector<uint8_t> bytes_;
  size_t start_ = 0;
};

/// The inferences of all threads. Their lines and outputs are written in the order in which they began.
class Inferences {
 public:
  Inferences(const Network& network, const Options& options, Points& points)
      : network_(network), options_(options), points_(points) {
    for (const std::string& file : options.files) inputs_.push_back(read_inputs(network, file));
    for (size_t f = 0; f < inputs_.size(); ++f) {
      for (size_t i = 0; i * network.input_bytes < inputs_[f].size(); ++i) items_.push_back({f, i});
    }
    most_ = options.count >= 0 ? options.count : options.loop ? LONG_MAX : static_cast<long>(items_.size());
    if (!options.outputs.empty()) {
      outputs_ = fopen(options.outputs.c_str(), "wb");
      if (outputs_ == nullptr) refuse("cannot write " + options.outputs + ": " + strerror(errno));
    }
  }

  /// Runs inferences until all are done, a signal comes, or the results cannot be written.
  void work() {
    Arena arena(network_);
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      if (stop != 0 || failed_ || begun_ == most_) return;
      const long turn = begun_++;
      const Item item = items_[static_cast<size_t>(turn) % items_.size()];
      const int point = points_.now();
      std::shared_lock<std::shared_mutex> point_stays = points_.hold();
      lock.unlock();
      memcpy(network_.input(arena.data()), inputs_[item.file].data() + item.input * network_.input_bytes,
             network_.input_bytes);
      const double begin = milliseconds();
      network_.run(arena.data());
      const double taken = milliseconds() - begin;
      point_stays.unlock();
      lock.lock();
      written_next_.wait(lock, [&] { return written_ == turn; });
      if (!failed_) write(item, point, taken, arena.data());
      ++written_;
      written_next_.notify_all();
    }
  }

  /// When all threads have ended: whether all is written.
  bool end() {
    if (outputs_ != nullptr) failed_ |= fclose(outputs_) != 0;
    failed_ |= fflush(stdout) != 0;
    return !failed_;
  }

 private:
  struct Item {
    size_t file, input;
  };

  void write(const Item& item, int point, double taken, const void* arena) {
    const int32_t answer = network_.answer(arena);
    const char* const name = network_.class_names == nullptr || answer < 0 ? "" : network_.class_names[answer];
    failed_ = printf("%s\t%zu\t%d\t%s\t%d\t%.3f\n", options_.files[item.file].c_str(), item.input,
                     static_cast<int>(answer), name, point, taken) < 0;
    if (outputs_ != nullptr) {
      failed_ |= fwrite(network_.output(arena), 1, network_.output_bytes, outputs_) != network_.output_bytes;
    }
  }

  const Network& network_;
  const Options& options_;
  Points& points_;
  FILE* outputs_ = nullptr;
  std::vector<std::vector<uint8_t>> inputs_;
  std::vector<Item> items_;
  long most_ = 0;
  std::mutex mutex_;  ///< of all below, and of the points
  std::condition_variable written_next_;
  long begun_ = 0, written_ = 0;
  bool failed_ = false;
};

inline int run(const Network& network, int count, char** arguments) {
  long point = 0;
  const Options options = parse(network, count, arguments, point);
  Points points(network, options.point_file);
  if (options.point_file.empty()) points.choose(point);
  Inferences inferences(network, options, points);
  install_signals();
  setvbuf(stdout, nullptr, _IOLBF, 0);
  std::vector<std::thread> others;
  for (long i = 1; i < options.threads; ++i) others.emplace_back([&] { inferences.work(); });
  inferences.work();
  for (std::thread& thread : others) thread.join();
  if (inferences.end()) return 0;
  fprintf(stderr, "classify: cannot write the results: %s\n", strerror(errno));
  return 1;
}

}  // namespace trimtab_classify
