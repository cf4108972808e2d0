#pragma once

#include <onnx/onnx_pb.h>

#include <filesystem>

namespace trimtab::onnx_reader {

/// Puts the data of tensors that lie in side files of the model into the tensors. `folder` is that of the model; an
/// empty one has no side files. Returns the number of bytes read. Throws Error (bad input), naming the tensor, where a
/// side file is missing, too short, or not inside the folder, or where all data is more than `most_bytes`.
[[nodiscard]] std::int64_t embed_external_data(onnx::ModelProto& model, const std::filesystem::path& folder,
                                               std::int64_t most_bytes);

}  // namespace trimtab::onnx_reader
