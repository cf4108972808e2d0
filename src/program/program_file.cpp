#include "program/program_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "program/check.h"
#include "program/images.h"

namespace trimtab {
namespace {

constexpr std::array<std::uint8_t, 8> magic = {'t', 'r', 'i', 'm', 't', 'a', 'b', 0};
constexpr std::uint32_t format = 6;
constexpr const char* maker_of_formats_1_and_2 = "0.1.0";
constexpr std::size_t head_bytes = magic.size() + 8;
constexpr std::int64_t largest_file = std::int64_t{1} << 30;
constexpr std::size_t longest_string = 4096;

template <typename T>
concept Number = std::integral<T> || std::floating_point<T>;

class Encoder {
 public:
  std::vector<std::uint8_t> bytes;

  template <Number T>
  void number(T value) {
    auto raw = std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(value);
    if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(raw);
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  }

  /// The number of items; reading, it makes room for them.
  template <typename T>
  void count(std::vector<T>& items) {
    number(static_cast<std::uint32_t>(items.size()));
  }
};

class Decoder {
 public:
  Decoder(std::span<const std::uint8_t> bytes, const std::string& source) : bytes_(bytes), source_(source) {}

  template <Number T>
  void number(T& value) {
    if (bytes_.size() < sizeof(T)) throw bad_input("{} ends in the middle of a program", source_);
    std::array<std::uint8_t, sizeof(T)> raw{};
    std::copy_n(bytes_.begin(), sizeof(T), raw.begin());
    bytes_ = bytes_.subspan(sizeof(T));
    if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(raw);
    if constexpr (std::same_as<T, bool>) {
      if (raw[0] > 1) throw bad_input("{} has a yes or no with the value {}", source_, raw[0]);
    }
    value = std::bit_cast<T>(raw);
  }

  template <typename T>
  void count(std::vector<T>& items) {
    std::uint32_t size = 0;
    number(size);
    // An item takes at least so many bytes, so that a small file cannot ask for much memory.
    constexpr std::size_t least = Number<T> ? sizeof(T) : sizeof(T) / 16 + 4;
    if (size > bytes_.size() / least) {
      throw bad_input("{} has a list of {} items in {} bytes", source_, size, bytes_.size());
    }
    items.resize(size);
  }

  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return bytes_; }
  [[nodiscard]] const std::string& source() const { return source_; }

 private:
  std::span<const std::uint8_t> bytes_;
  const std::string& source_;
};

// The contents, the same for writing and reading: `describe` names the fields of each type in their order.

template <typename Archive, Number T>
void describe(Archive& archive, T& value) {
  archive.number(value);
}

template <typename Archive>
void describe(Archive& archive, std::string& text) {
  std::vector<char> characters(text.begin(), text.end());
  archive.count(characters);
  if (characters.size() > longest_string) {
    throw bad_input("a program has a name of {} characters; at most {} are possible", characters.size(),
                    longest_string);
  }
  for (char& character : characters) archive.number(character);
  text.assign(characters.begin(), characters.end());
}

template <typename Archive, typename T>
void describe(Archive& archive, std::vector<T>& items);

template <typename Archive, typename... Fields>
void describe_all(Archive& archive, Fields&... fields) {
  (describe(archive, fields), ...);
}

template <typename Archive>
void describe(Archive& archive, ActivationGrid& grid) {
  std::int32_t bits = grid.bits;
  describe_all(archive, grid.scale, bits, grid.is_signed, grid.zero_point);
  grid.bits = std::clamp(bits, 0, 31);  // so that its limits can be asked for; the check refuses all but a few
}

template <typename Archive>
void describe(Archive& archive, Buffer& buffer) {
  BufferId parent = buffer.parent.value_or(-1);
  describe_all(archive, buffer.name, buffer.height, buffer.width, buffer.channels, buffer.grid, parent,
               buffer.parent_channel);
  buffer.parent = parent == -1 ? std::nullopt : std::optional(parent);
}

template <typename Archive>
void describe(Archive& archive, runtime::Window& w) {
  describe_all(archive, w.kernel_height, w.kernel_width, w.stride_rows, w.stride_columns, w.dilation_rows,
               w.dilation_columns, w.pad_top, w.pad_left);
}

template <typename Archive>
void describe(Archive& archive, WeightCode& code) {
  auto number = static_cast<std::uint8_t>(code);
  archive.number(number);
  code = static_cast<WeightCode>(number);  // the check refuses unknown ones
}

template <typename Archive>
void describe(Archive& archive, ProgramPart& part) {
  describe_all(archive, part.name, part.shape, part.grid);
}

template <typename Archive>
void describe(Archive& archive, PointNumbers& numbers) {
  describe_all(archive, numbers.bias, numbers.output_minimum, numbers.output_maximum, numbers.weight_bits,
               numbers.shift);
}

// Images are not written: they follow from the buffers.

template <typename Archive>
void describe(Archive& archive, ConvolutionStep& step) {
  runtime::Convolution& c = step.convolution;
  describe_all(archive, c.window, c.groups, c.weight_bits, c.shift, c.sum_shift, c.output_minimum, c.output_maximum,
               step.weight_code, step.weights, step.bias, step.multiplier, step.padding_value, c.output_zero);
}
template <typename Archive>
void describe(Archive& archive, MaxPoolStep& step) {
  describe_all(archive, step.pool.window, step.pool.output_minimum, step.pool.output_maximum);
}
template <typename Archive>
void describe(Archive& archive, AveragePoolStep& step) {
  describe_all(archive, step.pool.window, step.pool.fixed_divisor, step.pool.shift, step.pool.output_minimum,
               step.pool.output_maximum, step.multiplier, step.pool.input_zero, step.pool.output_zero);
}
template <typename Archive>
void describe(Archive& archive, AdditionStep& step) {
  runtime::Addition& a = step.addition;
  describe_all(archive, a.multiplier_a, a.multiplier_b, a.shift, a.output_minimum, a.output_maximum, a.offset);
}
template <typename Archive>
void describe(Archive& archive, MultiplicationStep& step) {
  runtime::Multiplication& m = step.multiplication;
  describe_all(archive, m.multiplier, m.shift, m.output_minimum, m.output_maximum, m.a_zero, m.b_zero, m.output_zero);
}
template <typename Archive>
void describe(Archive& archive, LookupStep& step) {
  describe_all(archive, step.table);
}
template <typename Archive>
void describe(Archive& archive, SoftmaxStep& step) {
  runtime::Softmax& s = step.softmax;
  describe_all(archive, s.multiplier, s.shift, s.output_zero, s.output_minimum, s.output_maximum, step.table);
}
template <typename Archive>
void describe(Archive& archive, RescaleStep& step) {
  runtime::Rescale& r = step.rescale;
  describe_all(archive, r.multiplier, r.shift, r.output_minimum, r.output_maximum, r.input_zero, r.output_zero);
}
template <typename Archive>
void describe(Archive& archive, MovementStep& step) {
  runtime::Movement& m = step.movement;
  describe_all(archive, m.box.top, m.box.left, m.box.first_channel, m.box.height, m.box.width, m.box.channels,
               m.padding, step.rows, step.columns, step.channels);
}

void describe(Encoder& archive, Operation& operation) {
  std::string kind = kind_of(operation);
  describe(archive, kind);
  std::visit([&](auto& step) { describe(archive, step); }, operation);
}

template <std::size_t Index = 0>
void describe_alternative(Decoder& archive, Operation& operation, const std::string& kind) {
  if constexpr (Index < std::variant_size_v<Operation>) {
    if (kind == operation_kinds[Index]) {
      describe(archive, operation.emplace<Index>());
    } else {
      describe_alternative<Index + 1>(archive, operation, kind);
    }
  } else {
    throw bad_input("{} has a step of the unknown kind '{}'", archive.source(), kind);
  }
}

void describe(Decoder& archive, Operation& operation) {
  std::string kind;
  describe(archive, kind);
  describe_alternative(archive, operation, kind);
}

template <typename Archive>
void describe(Archive& archive, Step& step) {
  describe_all(archive, step.name, step.operation, step.inputs, step.output, step.points);
}

template <typename Archive>
void describe(Archive& archive, LayerPlan& layer) {
  describe_all(archive, layer.layer, layer.filters, layer.weight_bits, layer.activation_bits);
}

template <typename Archive>
void describe(Archive& archive, ProgramPoint& point) {
  describe_all(archive, point.plan.layers, point.energy_nj, point.quality);
}

template <typename Archive>
void describe(Archive& archive, Level& level) {
  describe_all(archive, level.name, level.classes, level.class_of);
}

/// By its key; none is an empty one.
void describe(Encoder& archive, std::optional<Measure>& measure) {
  std::string key = measure ? info_of(*measure).key : "";
  describe(archive, key);
}

void describe(Decoder& archive, std::optional<Measure>& measure) {
  std::string key;
  describe(archive, key);
  measure = key.empty() ? std::nullopt : measure_of_key(key);
  if (!key.empty() && !measure) throw bad_input("{} has points of the unknown measure '{}'", archive.source(), key);
}

template <typename Archive, typename T>
void describe(Archive& archive, std::vector<T>& items) {
  archive.count(items);
  for (T& item : items) describe(archive, item);
}

template <typename Archive>
void describe(Archive& archive, Program& program) {
  describe_all(archive, program.name, program.buffers, program.steps, program.input, program.output,
               program.input_parts, program.output_parts, program.classes, program.preprocessing.mean,
               program.preprocessing.deviation, program.points, program.levels, program.measure);
}

/// IEEE 802.3, reflected.
std::uint32_t crc32(std::span<const std::uint8_t> bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? value >> 1U ^ 0xEDB88320U : value >> 1U;
      entries[i] = value;
    }
    return entries;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) crc = table[(crc ^ byte) & 0xFFU] ^ crc >> 8U;
  return ~crc;
}

}  // namespace

std::vector<std::uint8_t> encode_program(const Program& program) {
  Program copy = program;  // `describe` serves reading as well and so takes what it may change
  Encoder encoder;
  describe(encoder, copy);
  return std::move(encoder.bytes);
}

Program decode_program(std::span<const std::uint8_t> bytes, const std::string& source) {
  Program program;
  Decoder decoder(bytes, source);
  describe(decoder, program);
  if (!decoder.at_end()) throw bad_input("{} has more bytes than its program", source);
  check_values(program, source);
  for (Step& step : program.steps) fill_images(program, step);
  check_program(program, source);
  return program;
}

void save_program(const Program& program, const std::filesystem::path& path) {
  const std::vector<std::uint8_t> body = encode_program(program);
  Encoder file;
  for (const std::uint8_t character : magic) file.number(character);
  file.number(format);
  file.number(crc32(body));
  std::string maker = TRIMTAB_VERSION;
  describe(file, maker);
  file.bytes.insert(file.bytes.end(), body.begin(), body.end());
  write_file(path, file.bytes);
}

Program load_program(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path, largest_file);
  const std::string source = path.string();
  if (bytes.size() < head_bytes || !std::equal(magic.begin(), magic.end(), bytes.begin())) {
    throw bad_input("{} is not a program of trimtab", source);
  }
  const auto after_magic = std::span(bytes).subspan(magic.size());
  Decoder head(after_magic, source);
  std::uint32_t its_format = 0;
  std::uint32_t its_crc = 0;
  std::string maker = maker_of_formats_1_and_2;
  head.number(its_format);
  head.number(its_crc);
  if (its_format >= 3) describe(head, maker);
  if (its_format != format) {
    throw bad_input("{} was made by trimtab {} (format {}); trimtab {} reads format {}: make the program again", source,
                    maker, its_format, TRIMTAB_VERSION, format);
  }
  const std::span<const std::uint8_t> body = head.rest();
  if (crc32(body) != its_crc) throw bad_input("{} is damaged: its check sum does not fit its contents", source);
  return decode_program(body, source);
}

}  // namespace trimtab
