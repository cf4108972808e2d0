#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// An array as NumPy's .npy format stores it (format versions 1 and 2): little-endian, C order. Types that are not
/// among these become the next one that holds all their values: bool int8, int16 and uint16 int32, uint32 int64,
/// float16 float.
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

/// The array of an .npz file (a zip archive of .npy files, plain or deflated) whose name, without ".npy", stands first
/// in `names`; nothing where the file has none of them. Throws Error (bad input), naming the file, where it is damaged.
[[nodiscard]] std::optional<NpyArray> read_npz(const std::filesystem::path& path, std::span<const std::string> names);
/// The names of all its arrays, in the file's order.
[[nodiscard]] std::vector<std::string> npz_names(const std::filesystem::path& path);

/// Writes format version 1. The shape must have as many elements as `data`.
void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const float> data);
void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const std::uint8_t> data);
void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const std::int64_t> data);

}  // namespace trimtab
