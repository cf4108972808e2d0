#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "data/parallel.h"
#include "data/pictures.h"
#include "data/sources.h"

namespace trimtab {
namespace fs = std::filesystem;

namespace {

struct Listing {
  std::vector<fs::path> files;
  std::vector<std::int64_t> labels;
  std::vector<std::string> classes;
};

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// Lines "file index".
Listing read_labels(const fs::path& folder, const fs::path& list) {
  Listing listing;
  const std::string text = read_text(list);
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty()) continue;
    const std::size_t space = line.rfind(' ');
    const std::string index = space == std::string::npos ? "" : line.substr(space + 1);
    std::int64_t label = -1;
    const auto [last, error] = std::from_chars(index.data(), index.data() + index.size(), label);
    if (index.empty() || space == 0 || error != std::errc{} || last != index.data() + index.size()) {
      throw bad_input("{}, line {}: '{}' is not of the form \"file index\"", list.string(), number, line);
    }
    listing.files.push_back(folder / line.substr(0, space));
    listing.labels.push_back(label);
  }
  listing.classes = read_class_names(folder / "classes.txt");
  return listing;
}

Listing list_class_folders(const fs::path& folder) {
  Listing listing;
  for (const fs::path& entry : sorted_entries(folder)) {
    if (!fs::is_directory(entry)) continue;
    const auto label = static_cast<std::int64_t>(listing.classes.size());
    for (const fs::path& file : sorted_entries(entry)) {
      if (!is_picture(file)) continue;
      listing.files.push_back(file);
      listing.labels.push_back(label);
    }
    listing.classes.push_back(entry.filename().string());
  }
  return listing;
}

/// Pictures of which nothing is known: those of the folder itself.
Listing list_pictures(const fs::path& folder) {
  Listing listing;
  for (const fs::path& file : sorted_entries(folder)) {
    if (is_picture(file)) listing.files.push_back(file);
  }
  return listing;
}

/// The folder of the split where the pictures are parted in train and test (or val).
fs::path folder_of_split(const fs::path& folder, Split split) {
  if (!fs::is_directory(folder / "train")) return folder;
  for (const char* name : {"test", "val"}) {
    if (fs::is_directory(folder / name)) return folder / (split == Split::train ? "train" : name);
  }
  return folder;
}

struct Size {
  std::int64_t height = 0;
  std::int64_t width = 0;
};

std::int64_t big_endian(std::span<const std::uint8_t> bytes) {
  std::int64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

/// Height and width from the header of a PNG (its first chunk) or a JPEG (its frame header, ISO/IEC 10918-1 B.2.2);
/// nothing where it is neither. Known before decoding, so that a small file cannot ask for much memory.
std::optional<Size> read_size(std::span<const std::uint8_t> bytes) {
  constexpr std::array<std::uint8_t, 8> png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  if (bytes.size() >= 24 && std::equal(png.begin(), png.end(), bytes.begin())) {
    return Size{big_endian(bytes.subspan(20, 4)), big_endian(bytes.subspan(16, 4))};
  }
  if (bytes.size() < 2 || bytes[0] != 0xFF || bytes[1] != 0xD8) return {};
  for (std::size_t at = 2; at + 9 <= bytes.size();) {
    if (bytes[at] != 0xFF) return {};
    const std::uint8_t marker = bytes[at + 1];
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    const bool is_frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) return Size{big_endian(bytes.subspan(at + 5, 2)), big_endian(bytes.subspan(at + 7, 2))};
    at += 2 + static_cast<std::size_t>(big_endian(bytes.subspan(at + 2, 2)));
  }
  return {};
}

/// Whether the second half of the file holds the mark that ends a PNG or JPEG.
bool is_complete(std::span<const std::uint8_t> bytes) {
  constexpr std::array<std::uint8_t, 4> png_end{'I', 'E', 'N', 'D'};
  constexpr std::array<std::uint8_t, 2> jpeg_end{0xFF, 0xD9};
  const auto half = bytes.subspan(bytes.size() / 2);
  const auto holds = [&](const auto& mark) {  // clang 14 cannot compile std::ranges::search
    return std::search(half.begin(), half.end(), mark.begin(), mark.end()) != half.end();
  };
  return bytes[0] == 0xFF ? holds(jpeg_end) : holds(png_end);
}

Picture decode(const fs::path& file, bool colour) {
  constexpr std::int64_t most_pixels = 64 << 20;
  const std::vector<std::uint8_t> bytes = read_file(file);
  if (bytes.empty()) throw bad_input("{} is empty; a JPEG or PNG picture is needed", file.string());
  const std::optional<Size> size = read_size(bytes);
  if (!size) throw bad_input("{} is neither a JPEG nor a PNG picture", file.string());
  if (size->height * size->width > most_pixels) {
    throw bad_input("{} has {}x{} pixels; at most {} are read", file.string(), size->width, size->height, most_pixels);
  }
  if (!is_complete(bytes)) throw bad_input("{} is cut off: the end of the picture is missing", file.string());
  std::optional<Picture> picture = picture_codec().decode(bytes, colour);
  if (!picture) throw bad_input("{} is a damaged picture", file.string());
  return *std::move(picture);
}

/// Resizes so that the shorter side is `shorter_side` (0: so that the picture just covers the crop).
Picture resize(Picture picture, Size crop, std::int64_t shorter_side, const fs::path& file) {
  const auto height = static_cast<double>(picture.rows);
  const auto width = static_cast<double>(picture.columns);
  const double scale =
      shorter_side > 0 ? static_cast<double>(shorter_side) / std::min(height, width)
                       : std::max(static_cast<double>(crop.height) / height, static_cast<double>(crop.width) / width);
  const auto rows = static_cast<std::int64_t>(std::lround(height * scale));
  const auto columns = static_cast<std::int64_t>(std::lround(width * scale));
  if (rows < crop.height || columns < crop.width) {
    throw bad_input("{} is {}x{} after resizing, less than the {}x{} wanted; choose a larger shorter side",
                    file.string(), columns, rows, crop.width, crop.height);
  }
  constexpr std::int64_t longest = 1 << 15;  // a picture of one column could grow beyond all memory
  if (rows > longest || columns > longest) throw bad_input("{} is too narrow to be resized", file.string());
  if (rows == picture.rows && columns == picture.columns) return picture;
  return picture_codec().resize(picture, rows, columns, scale < 1);
}

/// Cuts the middle out of a picture and stores it as planes of red, green, blue.
void store_middle(const Picture& picture, Size crop, std::span<std::uint8_t> out) {
  const std::int64_t top = (picture.rows - crop.height) / 2;
  const std::int64_t left = (picture.columns - crop.width) / 2;
  const auto plane = static_cast<std::size_t>(crop.height * crop.width);
  const auto channels = static_cast<std::size_t>(picture.channels);
  std::size_t at = 0;
  for (std::int64_t row = top; row < top + crop.height; ++row) {
    const std::uint8_t* pixel =
        picture.pixels.data() + static_cast<std::size_t>((row * picture.columns + left) * picture.channels);
    for (std::int64_t column = 0; column < crop.width; ++column, ++at) {
      for (std::size_t channel = 0; channel < channels; ++channel) out[channel * plane + at] = *pixel++;
    }
  }
}

void check_shape(const Shape& shape) {
  constexpr std::int64_t longest = 8192;
  const bool fits = shape.size() == 3 && (shape[0] == 1 || shape[0] == 3) && shape[1] >= 1 && shape[1] <= longest &&
                    shape[2] >= 1 && shape[2] <= longest;
  if (!fits) {
    throw bad_input("pictures cannot be made samples of shape {}; 1 or 3 channels x height x width are possible",
                    to_string(shape));
  }
}

}  // namespace

Dataset load_images(const fs::path& folder, Split split, const DataOptions& options) {
  if (!fs::is_directory(folder)) throw bad_input("{} is not a folder of pictures", folder.string());
  if (options.resize < 0 || options.resize > 8192) {
    throw bad_input("pictures cannot be resized to {} pixels; 1 to 8192 are possible", options.resize);
  }
  const fs::path source = folder_of_split(folder, split);
  const fs::path list = source / "labels.txt";
  Listing listing = fs::exists(list) ? read_labels(source, list) : list_class_folders(source);
  if (listing.files.empty() && !fs::exists(list)) listing = list_pictures(source);
  if (listing.files.empty()) {
    throw bad_input(
        "the folder {} holds no pictures; one folder per class, labels.txt with lines \"file index\", or pictures "
        "without labels are needed",
        source.string());
  }
  const std::vector<std::int64_t> chosen = spread(static_cast<std::int64_t>(listing.files.size()), options.limit);

  Dataset data;
  data.shape = options.shape;
  const bool as_stored = data.shape.empty();
  if (as_stored) {
    const Picture first = decode(nth(listing.files, chosen[0]), true);
    data.shape = {3, first.rows, first.columns};
  }
  check_shape(data.shape);
  const auto sample_size = static_cast<std::size_t>(element_count(data.shape));
  if (!listing.labels.empty()) {
    for (const std::int64_t index : chosen) data.labels.push_back(nth(listing.labels, index));
    name_classes(data, listing.classes, fs::exists(list) ? list.string() : source.string());
  }

  std::vector<std::uint8_t> pixels(chosen.size() * sample_size);
  parallel_for(static_cast<std::int64_t>(chosen.size()), [&](std::int64_t i) {
    const fs::path& file = nth(listing.files, nth(chosen, i));
    Picture picture = decode(file, data.shape[0] == 3);
    if (as_stored && (picture.rows != data.shape[1] || picture.columns != data.shape[2])) {
      throw bad_input("{} is {}x{}, the first picture {}x{}; give --shape to make them equal", file.string(),
                      picture.columns, picture.rows, data.shape[2], data.shape[1]);
    }
    const Size crop{data.shape[1], data.shape[2]};
    picture = resize(std::move(picture), crop, as_stored ? 0 : options.resize, file);
    store_middle(picture, crop, std::span(pixels).subspan(static_cast<std::size_t>(i) * sample_size, sample_size));
  });
  data.pixels = {std::move(pixels), element_count(data.shape)};
  return data;
}

}  // namespace trimtab
