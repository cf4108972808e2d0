#include "data/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace trimtab {

namespace {

static_assert(std::endian::native == std::endian::little, "arrays are copied as they lie in the file");

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t alignment = 64;  ///< of the data behind the header

struct Header {
  std::string type;
  bool fortran_order = false;
  Shape shape;
};

/// Reads the header's text, a Python dictionary of three known entries:
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    Header header;
    bool has_type = false;
    bool has_order = false;
    bool has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_type) {
        header.type = quoted();
        has_type = true;
      } else if (key == "fortran_order" && !has_order) {
        header.fortran_order = boolean();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = tuple();
        has_shape = true;
      } else {
        fail();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (!text_.empty() || !has_type || !has_order || !has_shape) fail();
    return header;
  }

 private:
  [[noreturn]] void fail() const {
    throw bad_input("{} has a malformed .npy header; entries 'descr', 'fortran_order' and 'shape' are needed", name_);
  }

  void skip_spaces() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n')) text_.remove_prefix(1);
  }

  bool accept(char c) {
    skip_spaces();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail();
  }

  std::string quoted() {
    expect('\'');
    const std::size_t end = text_.find('\'');
    if (end == std::string_view::npos) fail();
    std::string word(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return word;
  }

  bool boolean() {
    skip_spaces();
    for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, {std::string_view("False"), false}}) {
      if (text_.starts_with(word)) {
        text_.remove_prefix(word.size());
        return value;
      }
    }
    fail();
  }

  Shape tuple() {
    constexpr std::size_t largest_rank = 8;
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (error != std::errc{} || size < 0 || shape.size() == largest_rank) fail();
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      shape.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view text_;
  const std::string& name_;
};

/// Number of elements, or -1 where it (times 8 bytes) would not fit, or no product of the shape's parts would.
std::int64_t checked_count(const Shape& shape) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max() / 8;
  std::int64_t nonzero = 1;
  for (const std::int64_t size : shape) {
    if (size > 0 && nonzero > largest / size) return -1;
    nonzero *= std::max<std::int64_t>(size, 1);
  }
  return std::find(shape.begin(), shape.end(), 0) == shape.end() ? nonzero : 0;
}

template <typename T>
std::vector<T> copy_elements(std::span<const std::uint8_t> bytes, std::int64_t count, const std::string& name) {
  if (count < 0 || bytes.size() != static_cast<std::size_t>(count) * sizeof(T)) {
    throw bad_input("{} has {} bytes of data; its header promises {} elements of {} bytes", name, bytes.size(),
                    count < 0 ? "far too many" : std::to_string(count), sizeof(T));
  }
  std::vector<T> elements(static_cast<std::size_t>(count));
  if (count > 0) std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

/// Elements that are stored as `Stored` and held as `Held`.
template <typename Stored, typename Held>
std::vector<Held> widen_elements(std::span<const std::uint8_t> bytes, std::int64_t count, const std::string& name) {
  const std::vector<Stored> stored = copy_elements<Stored>(bytes, count, name);
  return {stored.begin(), stored.end()};
}

/// IEEE 754 binary16 to binary32: exact.
float widen_half(std::uint16_t half) {
  const int exponent = half >> 10 & 0x1F;
  const int mantissa = half & 0x3FF;
  float magnitude = 0;
  if (exponent == 0x1F) {
    magnitude = mantissa == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(mantissa + 0x400), exponent - 25);
  }
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

std::vector<float> widen_halves(std::span<const std::uint8_t> bytes, std::int64_t count, const std::string& name) {
  const std::vector<std::uint16_t> halves = copy_elements<std::uint16_t>(bytes, count, name);
  std::vector<float> floats(halves.size());
  std::ranges::transform(halves, floats.begin(), widen_half);
  return floats;
}

template <typename T>
void write(const std::filesystem::path& path, const Shape& shape, std::span<const T> data, std::string_view type) {
  if (element_count(shape) != static_cast<std::int64_t>(data.size())) {
    throw failure("{}: {} elements cannot be written as an array of {}", path.string(), data.size(), to_string(shape));
  }
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (", type);
  for (const std::int64_t size : shape) text += fmt::format("{}, ", size);
  text += "), }";
  const std::size_t prefix = magic.size() + 4;  // version, length
  text.append(alignment - (prefix + text.size() + 1) % alignment, ' ');
  text += '\n';

  std::vector<std::uint8_t> bytes(magic.begin(), magic.end());
  for (const std::size_t byte : {std::size_t{1}, std::size_t{0}, text.size() & 0xFFU, text.size() >> 8U}) {
    bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  bytes.insert(bytes.end(), text.begin(), text.end());
  const auto* first = reinterpret_cast<const std::uint8_t*>(data.data());
  bytes.insert(bytes.end(), first, first + data.size_bytes());
  write_file(path, bytes);
}

}  // namespace

NpyArray parse_npy(std::span<const std::uint8_t> bytes, const std::string& name) {
  constexpr std::size_t version_at = 6;
  if (bytes.size() < 10 || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
    throw bad_input("{} is no .npy file: it does not begin with NumPy's signature", name);
  }
  const int version = bytes[version_at];
  if (version != 1 && version != 2) throw bad_input("{} has .npy version {}; 1 and 2 are read", name, version);
  const std::size_t length_size = version == 1 ? 2 : 4;
  const std::size_t text_at = version_at + 2 + length_size;
  if (bytes.size() < text_at) throw bad_input("{} is cut off in its .npy header", name);
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_size; ++i) length |= std::size_t{bytes[version_at + 2 + i]} << (8 * i);
  if (length > bytes.size() - text_at) throw bad_input("{} is cut off in its .npy header", name);

  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + text_at, length);
  const Header header = HeaderParser(text, name).parse();
  if (header.fortran_order) {
    throw bad_input("{} is in Fortran order; save numpy.ascontiguousarray(x) for C order", name);
  }
  const std::span<const std::uint8_t> data = bytes.subspan(text_at + length);
  const std::int64_t count = checked_count(header.shape);
  NpyArray array{header.shape, {}};
  if (header.type == "|u1") {
    array.data = copy_elements<std::uint8_t>(data, count, name);
  } else if (header.type == "|i1" || header.type == "|b1") {
    array.data = copy_elements<std::int8_t>(data, count, name);
  } else if (header.type == "<i2") {
    array.data = widen_elements<std::int16_t, std::int32_t>(data, count, name);
  } else if (header.type == "<u2") {
    array.data = widen_elements<std::uint16_t, std::int32_t>(data, count, name);
  } else if (header.type == "<i4") {
    array.data = copy_elements<std::int32_t>(data, count, name);
  } else if (header.type == "<u4") {
    array.data = widen_elements<std::uint32_t, std::int64_t>(data, count, name);
  } else if (header.type == "<i8") {
    array.data = copy_elements<std::int64_t>(data, count, name);
  } else if (header.type == "<f2") {
    array.data = widen_halves(data, count, name);
  } else if (header.type == "<f4") {
    array.data = copy_elements<float>(data, count, name);
  } else if (header.type == "<f8") {
    array.data = copy_elements<double>(data, count, name);
  } else {
    throw bad_input(
        "{} has elements of type '{}'; bool, int8 to int64, uint8 to uint32 and float16 to float64 are read", name,
        header.type);
  }
  return array;
}

NpyArray read_npy(const std::filesystem::path& path) { return parse_npy(read_file(path), path.string()); }

void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const float> data) {
  write(path, shape, data, "<f4");
}

void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const std::uint8_t> data) {
  write(path, shape, data, "|u1");
}

void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const std::int64_t> data) {
  write(path, shape, data, "<i8");
}

}  // namespace trimtab
