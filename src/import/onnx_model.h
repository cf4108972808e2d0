#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <string>

#include "graph/graph.h"
#include "import/import_options.h"

namespace trimtab::onnx_reader {

/// Grids of values by the names of ONNX tensors.
using Grids = std::map<std::string, SourceGrid>;

/// Facts about a model that its nodes do not hold.
struct ModelFacts {
  Grids grids{};
  bool channels_first = false;  ///< the input is, whatever its first readers look like
};

/// The network of a model in memory. `name` becomes that of the graph. `numbers` bounds the memory: reading makes no
/// more than so many numbers in constants. A value gets the grid of the first tensor that stands for it. Throws Error
/// (bad input) as read_onnx does.
[[nodiscard]] Graph import_model(const onnx::ModelProto& model, const std::string& name, std::int64_t numbers,
                                 const ImportOptions& options, const ModelFacts& facts = {});

}  // namespace trimtab::onnx_reader
