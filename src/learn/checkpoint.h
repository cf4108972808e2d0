#pragma once

// Internal to src/learn: it includes libtorch. Include it only from src/learn/*.cpp.

#include <torch/utils.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

namespace trimtab {

/// The state of a training.
struct Checkpoint {
  nlohmann::json header;
  std::vector<torch::Tensor> tensors;
};

/// Replaces the file as a whole. It carries a checksum.
void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path);

/// Throws Error (bad input), naming the file, where a single byte of it is damaged.
[[nodiscard]] Checkpoint load_checkpoint(const std::filesystem::path& path);

/// Copies the tensors from[first ...] into `to`, and returns the index behind the last. Throws Error (bad input),
/// naming the file, where they do not fit.
std::size_t restore(const std::vector<torch::Tensor>& from, std::size_t first, const std::vector<torch::Tensor>& to,
                    const std::filesystem::path& path);

}  // namespace trimtab
