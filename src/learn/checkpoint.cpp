#include "learn/checkpoint.h"

#include <torch/serialize/archive.h>

#include <algorithm>
#include <span>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/sha256.h"

namespace trimtab {
namespace {

// The file: these letters, the SHA-256 of what follows as 64 digits, and libtorch's archive.
constexpr std::string_view magic = "trimtab checkpoint 1\n";
constexpr std::size_t hash_digits = 64;
constexpr std::size_t prefix = magic.size() + hash_digits;

/// The archive in a file's bytes; nothing where they are not those that were written.
std::span<const std::uint8_t> checked_archive(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < prefix || !std::equal(magic.begin(), magic.end(), bytes.begin())) return {};
  const std::span<const std::uint8_t> archive = bytes.subspan(prefix);
  const std::string hash = sha256(archive);
  return std::equal(hash.begin(), hash.end(), bytes.begin() + magic.size()) ? archive : std::span<const std::uint8_t>{};
}

}  // namespace

void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  torch::serialize::OutputArchive archive;
  archive.write("header", c10::IValue(json_text(checkpoint.header)));
  archive.write("count", c10::IValue(static_cast<std::int64_t>(checkpoint.tensors.size())));
  for (std::size_t i = 0; i < checkpoint.tensors.size(); ++i) {
    archive.write(std::to_string(i), checkpoint.tensors[i].detach().to(torch::kCPU));
  }
  std::ostringstream stream;
  archive.save_to(stream);
  const std::string bytes = stream.str();
  const std::span plain(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  write_file(path, std::string(magic) + sha256(plain) + bytes);
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  const auto damaged = [&] {
    return bad_input("{} is damaged or of another version; put a whole copy in its place, or remove it to train anew",
                     path.string());
  };
  const std::span<const std::uint8_t> checked = checked_archive(bytes);
  if (checked.empty()) throw damaged();
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(reinterpret_cast<const char*>(checked.data()), checked.size());
    c10::IValue header;
    c10::IValue count;
    archive.read("header", header);
    archive.read("count", count);
    Checkpoint result{nlohmann::json::parse(header.toStringRef()), {}};
    for (std::int64_t i = 0; i < count.toInt(); ++i) {
      torch::Tensor tensor;
      archive.read(std::to_string(i), tensor);
      result.tensors.push_back(tensor);
    }
    return result;
  } catch (const std::exception&) {  // libtorch's and the JSON reader's own
    throw damaged();
  }
}

std::size_t restore(const std::vector<torch::Tensor>& from, std::size_t first, const std::vector<torch::Tensor>& to,
                    const std::filesystem::path& path) {
  const torch::NoGradGuard no_gradients;
  for (const torch::Tensor& tensor : to) {
    if (first >= from.size() || from[first].sizes() != tensor.sizes()) {
      throw bad_input("{} does not hold the state of this network; remove it to start anew", path.string());
    }
    tensor.copy_(from[first++]);
  }
  return first;
}

}  // namespace trimtab
