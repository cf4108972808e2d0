#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "plan/quantized_network.h"
#include "trimtab/operators.h"

namespace trimtab {

/// Index into Program::buffers.
using BufferId = std::int32_t;

/// A value of the integer network: height x width x channels integers on a grid. A vector is 1 x 1 x features.
struct Buffer {
  std::string name;
  std::int32_t height = 1;
  std::int32_t width = 1;
  std::int32_t channels = 1;
  ActivationGrid grid;
  /// Where the value is a part of a concatenation: the buffer it lies in, and its first channel there.
  std::optional<BufferId> parent;
  std::int32_t parent_channel = 0;

  /// Bytes as the runtime lays it out (runtime/trimtab/activations.h), on its own.
  [[nodiscard]] std::int64_t bytes() const;
  [[nodiscard]] std::int64_t elements() const { return std::int64_t{height} * width * channels; }
};

// The steps. Each holds the runtime's descriptor, whose pointers are null here (the vectors beside it own the
// constants), and the buffers it reads and writes. Pixel strides in the descriptors account for concatenations.

/// Weights are unpacked integers {output channels, kernel height, kernel width, input channels / groups}.
struct ConvolutionStep {
  runtime::Convolution convolution{};
  std::vector<std::int16_t> weights;
  std::vector<std::int32_t> bias;
  std::vector<std::int32_t> multiplier;
  std::vector<std::int16_t> padding_value;  ///< empty: zeros
};
struct MaxPoolStep {
  runtime::MaxPool pool{};
};
struct AveragePoolStep {
  runtime::AveragePool pool{};
  std::vector<std::int32_t> multiplier;
};
struct AdditionStep {
  runtime::Addition addition{};
};
struct MultiplicationStep {
  runtime::Multiplication multiplication{};
};
struct LookupStep {
  runtime::Lookup lookup{};
  std::vector<std::int16_t> table;
};
struct RescaleStep {
  runtime::Rescale rescale{};
};

using Operation = std::variant<ConvolutionStep, MaxPoolStep, AveragePoolStep, AdditionStep, MultiplicationStep,
                               LookupStep, RescaleStep>;

struct Step {
  std::string name;  ///< of the layer
  Operation operation;
  std::vector<BufferId> inputs;
  BufferId output = -1;

  [[nodiscard]] std::int64_t multiply_accumulates() const;
  /// Bytes of constants with weights packed at their bits, biases and multipliers included.
  [[nodiscard]] std::int64_t constant_bytes() const;
};

/// The lowered integer network, the same for every core. Kernels, packed weights and offsets in memory come with a
/// core: see schedule.h.
struct Program {
  std::string name;
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  BufferId input = -1;
  BufferId output = -1;
  std::vector<std::string> classes;  ///< names of the outputs, or empty
  /// Applied to a sample before it is quantized to the input's grid: that of the features; none for pixels, whose
  /// preprocessing is part of the first layer.
  Preprocessing preprocessing;
  Plan plan;
};

/// Bytes of all weights at their bits, each step packed without gaps; biases and multipliers do not count.
[[nodiscard]] std::int64_t weights_bytes(const Program& program);

/// Runtime's description of a buffer, strides included.
[[nodiscard]] runtime::Image image_of(const Program& program, BufferId buffer);

}  // namespace trimtab
