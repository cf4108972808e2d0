#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

/// The whole file. Throws Error (bad input), naming the path, where it is missing, unreadable, a folder, or larger than
/// `limit` bytes.
[[nodiscard]] std::vector<std::uint8_t> read_file(const std::filesystem::path& path,
                                                  std::int64_t limit = std::int64_t{2} << 30);
[[nodiscard]] std::string read_text(const std::filesystem::path& path, std::int64_t limit = std::int64_t{256} << 20);

/// Writes to a temporary name beside `path` and renames: a reader sees the old file or the new one, never a part.
/// Throws Error (bad input) where the folder cannot be written, (failure) where the disk is full.
void write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);
void write_file(const std::filesystem::path& path, std::string_view text);

/// Makes the folder, with its parents, and checks that files can be made in it. Throws Error (bad input).
void make_directory(const std::filesystem::path& path);

/// A fresh folder under the system's temporary folder, removed with all it holds at the end of its life.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace trimtab
