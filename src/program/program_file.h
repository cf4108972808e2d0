#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "program/program.h"

namespace trimtab {

/// Writes the program as one file: 8 bytes "trimtab" and a zero, then little-endian the format's number (4 bytes), the
/// CRC-32 (IEEE 802.3) of the program (4 bytes), the version of trimtab that wrote it (its length in 4 bytes, its
/// characters), and the program as encode_program gives it. The same program gives the same
/// bytes. Throws Error as write_file does.
void save_program(const Program& program, const std::filesystem::path& path);

/// Reads such a file and checks all of it (program/check.h): what it returns can be run. Throws Error (bad input),
/// naming the path, for anything else, and for files of another format the version that made them.
[[nodiscard]] Program load_program(const std::filesystem::path& path);

/// The contents of the file after its head.
[[nodiscard]] std::vector<std::uint8_t> encode_program(const Program& program);

/// Throws Error (bad input), naming `source`. O(bytes) time and memory.
[[nodiscard]] Program decode_program(std::span<const std::uint8_t> bytes, const std::string& source);

}  // namespace trimtab
