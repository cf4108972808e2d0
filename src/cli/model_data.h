#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "cli/common.h"
#include "data/dataset.h"

namespace trimtab::cli {

/// The network of a file. Throws Error (bad input) as read_onnx() does.
[[nodiscard]] Graph read_model(const std::string& model, const ModelChoice& choice);

/// Preprocessing for a network, by `description` (see parse_preprocessing). Where the description is empty, it is read
/// from the file preprocessing.toml beside `model`, as `trimtab train` leaves it there, or else there is none.
[[nodiscard]] Preprocessing choose_preprocessing(const std::string& description, const std::filesystem::path& model,
                                                 std::int64_t channels);

/// The text of a preprocessing file.
[[nodiscard]] std::string to_toml(const Preprocessing& preprocessing);

/// "mean 125.3 123 113.9, deviation 63 62.1 66.7", "none".
[[nodiscard]] std::string describe(const Preprocessing& preprocessing);

}  // namespace trimtab::cli
