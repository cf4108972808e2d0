#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "data/npy.h"

// A .npz file is a zip archive (PKWARE's APPNOTE.TXT 6.3) of .npy files, stored or deflated. Its central directory is
// read; local headers are only skipped. Every offset and size comes from outside and is checked against the file.

namespace trimtab {

namespace {

constexpr std::uint32_t end_mark = 0x06054b50;
constexpr std::uint32_t end64_locator_mark = 0x07064b50;
constexpr std::uint32_t end64_mark = 0x06064b50;
constexpr std::uint32_t entry_mark = 0x02014b50;
constexpr std::uint32_t local_mark = 0x04034b50;
constexpr std::uint64_t in_extra_field = 0xFFFFFFFF;  ///< the number stands in the zip64 field
constexpr std::string_view suffix = ".npy";

/// One file of the archive.
struct ZipEntry {
  std::string name;
  std::uint64_t method = 0;
  std::uint64_t flags = 0;
  std::uint64_t checksum = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t size = 0;
  std::uint64_t local_header = 0;
};

class ZipArchive {
 public:
  explicit ZipArchive(const std::filesystem::path& path) : bytes_(read_file(path)), path_(path.string()) {
    const auto [count, first] = find_directory();
    std::uint64_t at = first;
    for (std::uint64_t i = 0; i < count; ++i) at = read_entry(at);
  }

  [[nodiscard]] const std::vector<ZipEntry>& entries() const { return entries_; }

  [[nodiscard]] std::vector<std::uint8_t> unpack(const ZipEntry& entry) const {
    if ((entry.flags & 1U) != 0) throw bad_input("{}: {} is encrypted", path_, entry.name);
    if (number(entry.local_header, 4) != local_mark) damaged();
    const std::uint64_t skipped = 30 + number(entry.local_header + 26, 2) + number(entry.local_header + 28, 2);
    const std::span<const std::uint8_t> packed = part(entry.local_header + skipped, entry.packed_size);
    std::vector<std::uint8_t> result;
    if (entry.method == 0) {
      if (entry.size != entry.packed_size) damaged();
      result.assign(packed.begin(), packed.end());
    } else if (entry.method == 8) {
      result = inflate_all(packed, entry.size);
    } else {
      throw bad_input("{}: {} is packed with method {}; stored and deflated arrays are read", path_, entry.name,
                      entry.method);
    }
    if (::crc32_z(0, result.data(), result.size()) != entry.checksum) damaged();
    return result;
  }

 private:
  [[noreturn]] void damaged() const { throw bad_input("{} is a damaged .npz file", path_); }

  [[nodiscard]] std::span<const std::uint8_t> part(std::uint64_t at, std::uint64_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) damaged();
    return std::span(bytes_).subspan(at, size);
  }

  /// The little-endian number of so many bytes.
  [[nodiscard]] std::uint64_t number(std::uint64_t at, std::uint64_t size) const {
    const std::span<const std::uint8_t> digits = part(at, size);
    std::uint64_t value = 0;
    for (std::size_t i = digits.size(); i > 0; --i) value = value << 8U | digits[i - 1];
    return value;
  }

  struct Directory {
    std::uint64_t count = 0;
    std::uint64_t first = 0;
  };

  /// From the record at the file's end, behind which there may be a comment.
  [[nodiscard]] Directory find_directory() const {
    constexpr std::uint64_t record = 22;
    constexpr std::uint64_t longest_comment = 0xFFFF;
    if (bytes_.size() < record || number(0, 2) != (local_mark & 0xFFFFU)) {
      throw bad_input("{} is no .npz file: it is not a zip archive", path_);
    }
    const std::uint64_t last = bytes_.size() - record;
    const std::uint64_t least = last - std::min(last, longest_comment);
    for (std::uint64_t at = last + 1; at-- > least;) {
      if (number(at, 4) != end_mark) continue;
      if (at >= 20 && number(at - 20, 4) == end64_locator_mark) {
        const std::uint64_t end64 = number(at - 20 + 8, 8);
        if (number(end64, 4) != end64_mark) damaged();
        return {number(end64 + 32, 8), number(end64 + 48, 8)};
      }
      return {number(at + 10, 2), number(at + 16, 4)};
    }
    damaged();
  }

  /// Returns where the next entry begins.
  std::uint64_t read_entry(std::uint64_t at) {
    if (number(at, 4) != entry_mark) damaged();
    const std::uint64_t name_length = number(at + 28, 2);
    const std::uint64_t extra_length = number(at + 30, 2);
    const std::uint64_t comment_length = number(at + 32, 2);
    const auto name = part(at + 46, name_length);
    ZipEntry entry{std::string(name.begin(), name.end()),
                   number(at + 10, 2),
                   number(at + 8, 2),
                   number(at + 16, 4),
                   number(at + 20, 4),
                   number(at + 24, 4),
                   number(at + 42, 4)};
    if (std::ranges::count(entries_, entry.name, &ZipEntry::name) > 0) damaged();  // names are unique
    read_zip64(entry, at + 46 + name_length, extra_length);
    entries_.push_back(std::move(entry));
    return at + 46 + name_length + extra_length + comment_length;
  }

  /// Sizes and offset that need more than 32 bits stand in an extra field, in this order.
  void read_zip64(ZipEntry& entry, std::uint64_t at, std::uint64_t length) const {
    const std::uint64_t end = at + part(at, length).size();
    while (end - at >= 4) {
      const std::uint64_t field_end = at + 4 + number(at + 2, 2);
      if (field_end > end) damaged();
      if (number(at, 2) == 1) {
        std::uint64_t value = at + 4;
        for (std::uint64_t* wanted : {&entry.size, &entry.packed_size, &entry.local_header}) {
          if (*wanted != in_extra_field) continue;
          if (value + 8 > field_end) damaged();
          *wanted = number(value, 8);
          value += 8;
        }
      }
      at = field_end;
    }
  }

  [[nodiscard]] std::vector<std::uint8_t> inflate_all(std::span<const std::uint8_t> packed, std::uint64_t size) const {
    // Deflate makes at most 1,032 bytes of one: a small file cannot ask for much memory.
    if (size / 1032 > packed.size() + 1) damaged();
    std::vector<std::uint8_t> result(size);
    z_stream stream{};
    if (::inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw failure("zlib cannot be used");
    constexpr std::uint64_t most = 1U << 30U;  // zlib counts in 32 bits
    std::uint64_t taken = 0;
    std::uint64_t made = 0;
    int status = Z_OK;
    while (status == Z_OK) {
      const std::uint64_t in = std::min(most, packed.size() - taken);
      const std::uint64_t out = std::min(most, size - made);
      stream.next_in = const_cast<Bytef*>(packed.data() + taken);
      stream.avail_in = static_cast<uInt>(in);
      stream.next_out = result.data() + made;
      stream.avail_out = static_cast<uInt>(out);
      status = ::inflate(&stream, Z_NO_FLUSH);
      taken += in - stream.avail_in;
      made += out - stream.avail_out;
    }
    ::inflateEnd(&stream);
    if (status != Z_STREAM_END || made != size) damaged();
    return result;
  }

  std::vector<std::uint8_t> bytes_;
  std::string path_;
  std::vector<ZipEntry> entries_;
};

std::string array_name(const ZipEntry& entry) {
  std::string name = entry.name;
  if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

}  // namespace

std::optional<NpyArray> read_npz(const std::filesystem::path& path, std::span<const std::string> names) {
  const ZipArchive archive(path);
  for (const std::string& name : names) {
    const auto found =
        std::ranges::find_if(archive.entries(), [&](const ZipEntry& entry) { return array_name(entry) == name; });
    if (found != archive.entries().end()) return parse_npy(archive.unpack(*found), path.string() + ", array " + name);
  }
  return std::nullopt;
}

std::vector<std::string> npz_names(const std::filesystem::path& path) {
  const ZipArchive archive(path);
  std::vector<std::string> names;
  for (const ZipEntry& entry : archive.entries()) names.push_back(array_name(entry));
  return names;
}

}  // namespace trimtab
