#pragma once

#include <filesystem>

namespace trimtab {

/// Writes numbers of a finished folder's layers as custom node data for Google's Model Explorer, one file for each kind
/// of number that is known: weight_bits.json, activation_bits.json, instructions.json, alone_sqnr_db.json. A layer goes
/// by the name of its output tensor in quantized.onnx. Throws Error (bad input) where the folder has no details.json,
/// or `out` cannot be written.
void write_model_explorer(const std::filesystem::path& folder, const std::filesystem::path& out);

}  // namespace trimtab
