#include "import/onnx_external.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/input_file.h"
#include "import/onnx_node.h"

namespace trimtab::onnx_reader {
namespace {

namespace fs = std::filesystem;

/// Where a tensor's data lies. A checksum, which ONNX allows besides, is ignored.
struct Place {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;  ///< none: up to the file's end
};

[[nodiscard]] std::uint64_t number_of(const std::string& text, const std::string& key, const std::string& what) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw bad_input("{} has the {} '{}' in its side file; a number is needed", what, key, clean_name(text));
  }
  return number;
}

[[nodiscard]] Place place_of(const onnx::TensorProto& tensor, const std::string& what) {
  Place place;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") place.location = entry.value();
    if (entry.key() == "offset") place.offset = number_of(entry.value(), "offset", what);
    if (entry.key() == "length") place.length = number_of(entry.value(), "length", what);
  }
  if (place.location.empty()) throw bad_input("{} lies in a side file that is not named", what);
  return place;
}

/// The side file, with all links followed. It lies inside the folder.
[[nodiscard]] fs::path resolve(const Place& place, const fs::path& folder, const std::string& what) {
  const fs::path location(place.location);
  const std::string shown = clean_name(place.location);
  const bool leaves = location.is_absolute() || std::find(location.begin(), location.end(), "..") != location.end() ||
                      place.location.find('\0') != std::string::npos;
  if (leaves) throw bad_input("{} lies in '{}'; a side file must lie in the model's folder", what, shown);
  std::error_code error;
  const fs::path inside = fs::canonical(folder, error);
  const fs::path file = error ? fs::path() : fs::canonical(inside / location, error);
  if (error || !fs::is_regular_file(file, error)) {
    throw bad_input("{} lies in the side file '{}', which is not in the model's folder", what, shown);
  }
  if (std::mismatch(inside.begin(), inside.end(), file.begin(), file.end()).first != inside.end()) {
    throw bad_input("{} lies in '{}', a link out of the model's folder; a side file must lie in it", what, shown);
  }
  return file;
}

class Reader {
 public:
  Reader(const fs::path& folder, std::int64_t most_bytes)
      : folder_(folder), most_(static_cast<std::uint64_t>(most_bytes)) {}

  void read(onnx::TensorProto& tensor, const std::string& what) {
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL && tensor.external_data_size() == 0) return;
    if (folder_.empty()) throw bad_input("{} lies in a file of its own, and the model has no folder", what);
    const Place place = place_of(tensor, what);
    const InputFile file(resolve(place, folder_, what));
    const auto size = static_cast<std::uint64_t>(file.size());
    const std::uint64_t length = place.length.value_or(size - std::min(place.offset, size));
    if (place.offset > size || length > size - place.offset) {
      throw bad_input("{} lies in bytes {} to {} of '{}', which has only {}", what, place.offset, place.offset + length,
                      clean_name(place.location), size);
    }
    if (length > most_ - bytes_) throw bad_input("the model has more than {} bytes of weights", most_);
    bytes_ += length;
    std::string& data = *tensor.mutable_raw_data();
    data.resize(length);
    const std::span bytes(reinterpret_cast<std::uint8_t*>(data.data()), data.size());
    if (file.read(static_cast<std::int64_t>(place.offset), bytes) != length) {
      throw bad_input("{} could not be read from '{}'", what, clean_name(place.location));
    }
    tensor.clear_external_data();
    tensor.clear_data_location();
  }

  [[nodiscard]] std::int64_t bytes() const { return static_cast<std::int64_t>(bytes_); }

 private:
  const fs::path& folder_;
  std::uint64_t most_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::int64_t embed_external_data(onnx::ModelProto& model, const fs::path& folder, std::int64_t most_bytes) {
  Reader reader(folder, most_bytes);
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
    reader.read(tensor, fmt::format("the initializer '{}'", clean_name(tensor.name())));
  }
  for (auto& node : *model.mutable_graph()->mutable_node()) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) reader.read(*attribute.mutable_t(), OnnxNode(node, 0).describe());
    }
  }
  return reader.bytes();
}

}  // namespace trimtab::onnx_reader
