#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace trimtab {

/// A regular file that is open to be read. Whatever reads data from outside opens them with this: a pipe or a device
/// would let it wait, or would never end.
class InputFile {
 public:
  /// Throws Error (bad input), naming the path, where it does not exist, is a folder, a pipe, a socket or a device, or
  /// cannot be opened.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  InputFile(InputFile&&) = delete;
  InputFile& operator=(InputFile&&) = delete;

  /// In bytes, when it was opened; 0 for files that a kernel makes as they are read.
  [[nodiscard]] std::int64_t size() const { return size_; }

  /// Bytes from `offset` on; returns how many, fewer only where the file ends. Throws Error (bad input) where they
  /// cannot be read.
  std::size_t read(std::int64_t offset, std::span<std::uint8_t> bytes) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

}  // namespace trimtab
