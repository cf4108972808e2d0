#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "data/sources.h"

namespace trimtab {
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t image_bytes = 3 * 32 * 32;
constexpr std::int64_t record_bytes = image_bytes + 1;
constexpr std::int64_t class_count = 10;

std::vector<fs::path> batch_files(const fs::path& folder, Split split) {
  const std::string prefix = split == Split::train ? "data_batch" : "test_batch";
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".bin")) files.push_back(entry.path());
  }
  if (files.empty()) {
    throw bad_input("the folder {} has no {}*.bin; CIFAR-10 in its binary form is needed", folder.string(), prefix);
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Appends the labels to `data` and the values to `pixels`.
void append_batch(Dataset& data, std::vector<std::uint8_t>& pixels, const fs::path& file) {
  const std::vector<std::uint8_t> bytes = read_file(file);
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (size == 0) throw bad_input("{} is empty; records of {} bytes are needed", file.string(), record_bytes);
  if (size % record_bytes != 0) {
    throw bad_input("{} has {} bytes, which is no multiple of {}, the size of a CIFAR-10 record", file.string(), size,
                    record_bytes);
  }
  for (std::int64_t record = 0; record < size / record_bytes; ++record) {
    const auto begin = bytes.begin() + record * record_bytes;
    if (*begin >= class_count) {
      throw bad_input("{}: record {} has the label {}; CIFAR-10 has 0 to {}", file.string(), record, *begin,
                      class_count - 1);
    }
    data.labels.push_back(*begin);
    pixels.insert(pixels.end(), begin + 1, begin + record_bytes);
  }
}

}  // namespace

Dataset load_cifar10(const fs::path& path, Split split) {
  Dataset data;
  data.shape = {3, 32, 32};
  const bool is_folder = fs::is_directory(path);
  const std::vector<fs::path> files = is_folder ? batch_files(path, split) : std::vector<fs::path>{path};
  std::uintmax_t bytes = 0;
  for (const fs::path& file : files) {
    std::error_code unknown;
    const std::uintmax_t size = fs::file_size(file, unknown);
    if (!unknown) bytes += size;
  }
  std::vector<std::uint8_t> pixels;
  pixels.reserve(bytes);
  for (const fs::path& file : files) append_batch(data, pixels, file);
  data.pixels = {std::move(pixels), image_bytes};
  data.classes = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  return data;
}

}  // namespace trimtab
