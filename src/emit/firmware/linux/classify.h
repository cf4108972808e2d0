// SPDX-License-Identifier: Apache-2.0
#pragma once

// A program around a network: reads images or raw inputs, runs the network on them, once or in a loop, and prints a
// line for every inference. The operating point comes from an argument, from a file that is read before every
// inference, or from the signal SIGUSR1, which chooses the next one. C++17 on Linux.

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <string>
#include <vector>

namespace trimtab_classify {

/// The functions and sizes of NAME.h.
struct Network {
  const char* name;
  size_t input_bytes, output_bytes;
  int height, width, channels;
  bool has_pixels;  ///< the input is of unsigned bytes
  int points;
  const char* const* class_names;  ///< or null
  void* (*input)();
  void (*run)();
  const void* (*output)();
  int32_t (*answer)();
  int (*set_point)(int);
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

struct Options {
  bool loop = false;
  long count = -1;  ///< inferences; -1: all inputs once
  std::string point_file, outputs;
  std::vector<std::string> files;
};

inline volatile sig_atomic_t stop = 0;
inline volatile sig_atomic_t next_point = 0;

/// Follows the wishes for an operating point.
class Points {
 public:
  Points(const Network& network, std::string file) : network_(network), file_(std::move(file)) {
    if (!file_.empty() && !follow_file()) refuse(complaint());
  }

  void choose(long point) {
    if (network_.set_point(static_cast<int>(point)) == 0) point_ = static_cast<int>(point);
  }

  /// Before an inference. A file that turns bad is told once; the point stays.
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
  int point_ = 0;
  bool was_good_ = true;
};

inline void print_usage(const Network& network) {
  printf(
      "usage: classify [--loop] [--count N] [--point K | --point-file FILE] [--outputs FILE] FILE...\n"
      "Runs the network '%s' on binary PGM or PPM pictures, or on raw inputs of %zu bytes (several in a file follow\n"
      "each other), and prints file, input, answer, operating point and milliseconds, tabs between them.\n"
      "  --loop             begin again behind the last input, until a signal ends the program\n"
      "  --count N          end after N inferences\n"
      "  --point K          operating point, 0 to %d\n"
      "  --point-file FILE  read the operating point from FILE before every inference\n"
      "  --outputs FILE     write the network's outputs there, %zu bytes each\n"
      "SIGUSR1 chooses the next operating point.\n",
      network.name, network.input_bytes, network.points - 1, network.output_bytes);
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

inline int run(const Network& network, int count, char** arguments) {
  long point = 0;
  const Options options = parse(network, count, arguments, point);
  std::vector<std::vector<uint8_t>> inputs;
  for (const std::string& file : options.files) inputs.push_back(read_inputs(network, file));
  FILE* const outputs = options.outputs.empty() ? nullptr : fopen(options.outputs.c_str(), "wb");
  if (!options.outputs.empty() && outputs == nullptr) {
    refuse("cannot write " + options.outputs + ": " + strerror(errno));
  }
  install_signals();
  Points points(network, options.point_file);
  if (options.point_file.empty()) points.choose(point);
  setvbuf(stdout, nullptr, _IOLBF, 0);
  long done = 0;
  bool failed = false;
  do {
    for (size_t f = 0; f < inputs.size(); ++f) {
      for (size_t i = 0; i * network.input_bytes < inputs[f].size(); ++i) {
        if (stop != 0 || failed || done == options.count) break;
        const int now = points.now();
        memcpy(network.input(), inputs[f].data() + i * network.input_bytes, network.input_bytes);
        const double begin = milliseconds();
        network.run();
        const double taken = milliseconds() - begin;
        const int32_t answer = network.answer();
        const char* const name = network.class_names == nullptr || answer < 0 ? "" : network.class_names[answer];
        failed = printf("%s\t%zu\t%d\t%s\t%d\t%.3f\n", options.files[f].c_str(), i, static_cast<int>(answer), name, now,
                        taken) < 0;
        if (outputs != nullptr) {
          failed |= fwrite(network.output(), 1, network.output_bytes, outputs) != network.output_bytes;
        }
        ++done;
      }
    }
  } while ((options.loop || done < options.count) && stop == 0 && !failed && done != options.count);
  if (outputs != nullptr) failed |= fclose(outputs) != 0;
  failed |= fflush(stdout) != 0;
  if (failed) fprintf(stderr, "classify: cannot write the results: %s\n", strerror(errno));
  return failed ? 1 : 0;
}

}  // namespace trimtab_classify
