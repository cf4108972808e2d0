#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// Bytes of a linked image by what they are.
struct ImageSize {
  std::int64_t text = 0;    ///< code
  std::int64_t rodata = 0;  ///< constants
  std::int64_t data = 0;    ///< initialized variables: in flash and in RAM
  std::int64_t bss = 0;     ///< variables that start as zeros

  [[nodiscard]] std::int64_t flash() const { return text + rodata + data; }
  /// Without the stack.
  [[nodiscard]] std::int64_t static_ram() const { return data + bss; }
};

struct ImageSymbol {
  std::string name;
  std::int64_t bytes = 0;
  bool is_code = false;
};

/// Reads the section headers of a little-endian ELF file. A section named .stack is not counted.
/// Throws Error (bad input) where the file is none.
[[nodiscard]] ImageSize read_image_size(const std::filesystem::path& elf);

/// Functions and objects with their sizes, largest first.
[[nodiscard]] std::vector<ImageSymbol> read_image_symbols(const std::filesystem::path& elf);

}  // namespace trimtab
