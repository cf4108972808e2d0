#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace trimtab {

/// Bytes as a damaged disk, a cut transfer, a wrong tool or a hostile hand leaves them: one to four changes, each to a
/// bit, a byte, a block, the length, or a number or word of a text.
class Mutation {
 public:
  explicit Mutation(Random& random) : random_(random) {}

  [[nodiscard]] std::vector<std::uint8_t> operator()(std::vector<std::uint8_t> bytes) {
    for (std::int64_t change = random_.integer(1, 4); change > 0; --change) alter(bytes);
    return bytes;
  }

 private:
  using Bytes = std::vector<std::uint8_t>;

  std::ptrdiff_t place(const Bytes& bytes) { return random_.integer(0, std::ssize(bytes) - 1); }

  void alter(Bytes& bytes) {
    if (bytes.empty()) {
      bytes.push_back(static_cast<std::uint8_t>(random_.integer(0, 255)));
      return;
    }
    const std::ptrdiff_t at = place(bytes);
    const std::ptrdiff_t length = std::min<std::ptrdiff_t>(random_.integer(1, 16), std::ssize(bytes) - at);
    const auto begin = bytes.begin() + at;
    switch (random_.integer(0, 8)) {
      case 0:
        *begin ^= static_cast<std::uint8_t>(1U << static_cast<unsigned>(random_.integer(0, 7)));
        break;
      case 1:
        *begin = static_cast<std::uint8_t>(random_.integer(0, 255));
        break;
      case 2:
        std::fill_n(begin, length, random_.integer(0, 1) == 0 ? 0x00 : 0xff);
        break;
      case 3:
        bytes.resize(static_cast<std::size_t>(at));
        break;
      case 4:
        bytes.erase(begin, begin + length);
        break;
      case 5: {
        const Bytes block(begin, begin + length);
        bytes.insert(bytes.begin() + place(bytes), block.begin(), block.end());
        break;
      }
      case 6: {
        const std::ptrdiff_t other = random_.integer(0, std::ssize(bytes) - length);
        std::swap_ranges(begin, begin + length,
                         bytes.begin() + std::min(other, std::max<std::ptrdiff_t>(at - length, 0)));
        break;
      }
      default:
        replace_word(bytes, at);
    }
  }

  /// The word at or behind a place becomes one that readers may not expect.
  void replace_word(Bytes& bytes, std::ptrdiff_t at) {
    static constexpr std::string_view words[] = {
        "0",  "-1", "nan", "inf", "1e308",    "-1e-320",          "65536",    "2147483648", "9223372036854775808",
        "\"", "[[", "{}",  "\n",  "\x1b[31m", "../../etc/passwd", "\xff\xfe", "true",       "\0"};
    const auto is_word = [](std::uint8_t c) { return c > ' ' && c != ',' && c != '=' && c != '"' && c != ']'; };
    const auto begin = std::find_if(bytes.begin() + at, bytes.end(), is_word);
    const auto end = std::find_if_not(
        begin, std::min(begin + std::min<std::ptrdiff_t>(24, bytes.end() - begin), bytes.end()), is_word);
    const std::string_view word = words[random_.integer(0, std::ssize(words) - 1)];
    const auto after = bytes.erase(begin, end);
    bytes.insert(after, word.begin(), word.end());
  }

  Random& random_;
};

}  // namespace trimtab
