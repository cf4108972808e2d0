#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// A built-in architecture with freshly initialised parameters (He et al. 2015 for convolutions), BatchNormalization
/// unfolded, logits out:
///
/// - cifar10_quick[:bn]: Caffe's net. 5x5 convs 32-32-64, 3x3 stride-2 pools (max, average, average; ceil mode), one
///   Linear 1024 -> classes; with `:bn` a BatchNormalization behind every convolution
/// - resnet8[:width]: MLPerf Tiny's image classification net, 16-32-64 filters times width (default 1)
/// - resnet14[:width], resnet20[:width]: He et al. 2016, CIFAR variant, likewise
/// - dscnn: MLPerf Tiny's keyword spotting net, 64 filters
/// - mobilenet_v1[:alpha]: Howard et al. 2017 with width multiplier alpha (default 0.25)
/// - squeezenet: SqueezeNet 1.1
///
/// each adapted to the shape of the input {C,H,W} (small images keep their resolution longer, as each network's CIFAR
/// form does) and the number of classes. Throws Error (bad input), listing the names, for an unknown one.
[[nodiscard]] Graph make_network(const std::string& description, const Shape& input, std::int64_t classes,
                                 std::uint64_t seed);

/// Names that make_network knows.
[[nodiscard]] std::vector<std::string> network_names();

}  // namespace trimtab
