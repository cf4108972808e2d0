#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// An array as NumPy's .npy format stores it (format versions 1 and 2): little-endian, C order.
struct NpyArray {
  Shape shape;
  std::variant<std::vector<std::uint8_t>, std::vector<std::int8_t>, std::vector<std::int32_t>,
               std::vector<std::int64_t>, std::vector<float>, std::vector<double>>
      data;
};

/// Throws Error (bad input), naming the file, where the header is malformed, the element type or order is another, or
/// the file is shorter or longer than its header promises.
[[nodiscard]] NpyArray read_npy(const std::filesystem::path& path);
[[nodiscard]] NpyArray parse_npy(std::span<const std::uint8_t> bytes, const std::string& name);

/// Writes format version 1. The shape must have as many elements as `data`.
void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const float> data);
void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const std::uint8_t> data);
void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const std::int64_t> data);

}  // namespace trimtab
