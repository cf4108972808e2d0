#pragma once

#include <optional>
#include <set>
#include <string>

#include "import/onnx_import.h"

namespace trimtab::onnx_reader {

/// An average pool to an image of a given size whose windows differ by a pixel, as PyTorch exports
/// AdaptiveAvgPool2d: a GatherND of the pixels of all windows, masks over those that a window lacks, and their sum.
struct AdaptivePool {
  std::string output;  ///< the tensor N x C x height x width that it makes
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::set<int> nodes;  ///< of the model: all from the GatherND to that tensor
};

/// The pool that begins with node `first` of the model, a GatherND of what the network computes. The nodes behind it
/// are run on random numbers and compared with the definition, so that it does not matter how they are written.
[[nodiscard]] std::optional<AdaptivePool> find_adaptive_pool(Import& import, const onnx::GraphProto& graph, int first,
                                                             std::int64_t opset);

/// Makes the pool of two, along the rows and along the columns, and defines its output.
void import_adaptive_pool(Import& import, const OnnxNode& first, const AdaptivePool& pool);

}  // namespace trimtab::onnx_reader
