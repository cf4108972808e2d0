#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace trimtab {

/// 8-bit pixels, row by row; 1 channel (grey) or 3 (red, green, blue).
struct Picture {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t channels = 0;
  std::vector<std::uint8_t> pixels;
};

/// The work that OpenCV does for us. It lives in a module (opencv/), since imgcodecs loads more than a hundred
/// libraries.
struct PictureCodec {
  /// Decodes a JPEG or PNG file, ignoring its orientation; nothing where it is damaged.
  std::optional<Picture> (*decode)(std::span<const std::uint8_t> file, bool colour);
  /// Averages areas where the picture shrinks and interpolates linearly where it grows.
  Picture (*resize)(const Picture& picture, std::int64_t rows, std::int64_t columns, bool shrink);
  /// Encodes as PNG; empty where that fails.
  std::vector<std::uint8_t> (*encode_png)(const Picture& picture);
};

/// Loads the module at the first call. Throws Error (failure) where it cannot be loaded.
[[nodiscard]] const PictureCodec& picture_codec();

}  // namespace trimtab
