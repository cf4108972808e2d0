#include "learn/checkpoint.h"

#include <torch/serialize/archive.h>

#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace trimtab {

void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  torch::serialize::OutputArchive archive;
  archive.write("header", c10::IValue(checkpoint.header.dump()));
  archive.write("count", c10::IValue(static_cast<std::int64_t>(checkpoint.tensors.size())));
  for (std::size_t i = 0; i < checkpoint.tensors.size(); ++i) {
    archive.write(std::to_string(i), checkpoint.tensors[i].detach().to(torch::kCPU));
  }
  std::ostringstream stream;
  archive.save_to(stream);
  write_file(path, stream.str());
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(reinterpret_cast<const char*>(bytes.data()), bytes.size());
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
    throw bad_input("{} is damaged; remove it to start anew", path.string());
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
