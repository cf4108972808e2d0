#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "data/taxonomy.h"
#include "measure/score.h"
#include "plan/plan.h"
#include "plan/quantized_network.h"
#include "trimtab/movement.h"
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

/// How the stored numbers of a convolution's weights become the integers that are multiplied.
enum class WeightCode : std::uint8_t {
  integer,  ///< they are these integers, of weight_bits bits
  nested    ///< digits q of 8 bits for all operating points: at b = weight_bits bits, 2 * (q >> (8 - b)) + 1
};

// The steps. Each holds the runtime's descriptor, whose pointers are null here (the vectors beside it own the
// constants). Pixel strides in the descriptors account for concatenations.

/// Weights are unpacked {output channels, kernel height, kernel width, input channels / groups}. Biases, like the
/// numbers in the descriptor, are the first operating point's.
struct ConvolutionStep {
  runtime::Convolution convolution{};
  WeightCode weight_code = WeightCode::integer;
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
  std::vector<std::int16_t> table;  ///< bit patterns of the output's format

  /// The number that an entry stands for.
  [[nodiscard]] std::int32_t number(std::int16_t entry) const {
    return lookup.output.format.is_signed ? entry : static_cast<std::uint16_t>(entry);
  }
};
struct RescaleStep {
  runtime::Rescale rescale{};
};

struct SoftmaxStep {
  runtime::Softmax softmax{};
  std::vector<std::uint16_t> table;
};

/// Several may write parts of one buffer.
struct MovementStep {
  runtime::Movement movement{};
  std::vector<std::uint32_t> rows;
  std::vector<std::uint32_t> columns;
  std::vector<std::uint32_t> channels;
};

using Operation = std::variant<ConvolutionStep, MaxPoolStep, AveragePoolStep, AdditionStep, MultiplicationStep,
                               LookupStep, RescaleStep, MovementStep, SoftmaxStep>;

/// The names of the alternatives of Operation, in files and in descriptions.
inline constexpr std::array<const char*, std::variant_size_v<Operation>> operation_kinds = {
    "convolution", "max pool", "average pool", "addition", "multiplication",
    "lookup",      "rescale",  "movement",     "softmax"};
[[nodiscard]] inline std::string kind_of(const Operation& operation) { return operation_kinds.at(operation.index()); }

/// The runtime's descriptor in a step of any kind.
template <typename AnyStep>
[[nodiscard]] auto& descriptor_of(AnyStep& step) {
  if constexpr (requires { step.convolution; }) {
    return step.convolution;
  } else if constexpr (requires { step.pool; }) {
    return step.pool;
  } else if constexpr (requires { step.addition; }) {
    return step.addition;
  } else if constexpr (requires { step.multiplication; }) {
    return step.multiplication;
  } else if constexpr (requires { step.lookup; }) {
    return step.lookup;
  } else if constexpr (requires { step.softmax; }) {
    return step.softmax;
  } else if constexpr (requires { step.movement; }) {
    return step.movement;
  } else {
    return step.rescale;
  }
}

/// The numbers of a step that an operating point may change.
struct PointNumbers {
  std::vector<std::int32_t> bias;  ///< convolutions: per output channel
  std::int32_t output_minimum = 0;
  std::int32_t output_maximum = 0;
  std::uint8_t weight_bits = 8;  ///< convolutions
  std::uint8_t shift = 0;
  bool operator==(const PointNumbers&) const = default;
};

struct Step {
  std::string name;  ///< of the layer
  Operation operation;
  std::vector<BufferId> inputs;
  BufferId output = -1;
  /// By operating point; the first are also the operation's own. Empty where all points have the operation's.
  std::vector<PointNumbers> points{};

  [[nodiscard]] std::int64_t multiply_accumulates() const;
  /// Bytes of constants with weights packed at their bits, biases and multipliers included.
  [[nodiscard]] std::int64_t constant_bytes() const;
};

/// The numbers that an operation has now, and those of a point put into it.
[[nodiscard]] PointNumbers numbers_of(const Operation& operation);
void set_numbers(Operation& operation, const PointNumbers& numbers);

/// The integer that multiplies an activation, of the stored weight `index` at `weight_bits` bits.
[[nodiscard]] std::int32_t integer_weight(const ConvolutionStep& step, std::size_t index, int weight_bits);
/// Bits in which a weight is stored.
[[nodiscard]] int stored_bits(const ConvolutionStep& step);

/// One of several inputs or outputs that lie in one vector, one behind the other.
struct ProgramPart {
  std::string name;
  Shape shape;          ///< of its numbers, channels first
  ActivationGrid grid;  ///< with the vector's bits and sign
};

/// An operating point: the bits of every layer, and what was measured of it when it was made.
struct ProgramPoint {
  Plan plan;
  double energy_nj = 0;         ///< of one inference; 0: not known
  std::vector<double> quality;  ///< Program::measure, by level of abstraction; without levels one; empty: not known
};

/// The lowered integer network, the same for every core, with one operating point or several. Kernels, packed weights
/// and offsets in memory come with a core: see schedule.h. Values have the same format at all points.
struct Program {
  std::string name;
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  BufferId input = -1;
  BufferId output = -1;
  std::vector<ProgramPart> input_parts;   ///< of a vector of several inputs, whose own grid has no meaning; or empty
  std::vector<ProgramPart> output_parts;  ///< the same of several outputs
  std::vector<std::string> classes;       ///< names of the outputs, or empty
  /// Applied to a sample before it is quantized to the input's grid: that of the features; none for pixels, whose
  /// preprocessing is part of the first layer.
  Preprocessing preprocessing;
  std::vector<ProgramPoint> points{ProgramPoint{}};  ///< at least one
  std::vector<Level> levels;                         ///< of abstraction, from the finest; may be empty
  std::optional<Measure> measure{};                  ///< of the points' quality
};

/// The program with one operating point only. Throws Error (failure) where there is no such point.
[[nodiscard]] Program program_at(const Program& program, std::size_t point);

/// Bytes of all weights at their bits, each step packed without gaps; biases and multipliers do not count.
[[nodiscard]] std::int64_t weights_bytes(const Program& program);

[[nodiscard]] std::vector<JoinedPart> without_grids(const std::vector<ProgramPart>& parts);

/// By element of the input or output, in the order in which its integers lie: its grid.
[[nodiscard]] std::vector<ActivationGrid> input_grids(const Program& program);
[[nodiscard]] std::vector<ActivationGrid> output_grids(const Program& program);

/// Runtime's description of a buffer, strides included.
[[nodiscard]] runtime::Image image_of(const Program& program, BufferId buffer);

/// The outermost buffer that holds this one (itself, where it is no part), and where in its first pixel this one
/// starts.
struct PlaceInOwner {
  BufferId owner = -1;
  std::int64_t offset = 0;  ///< bytes
};
[[nodiscard]] PlaceInOwner place_in_owner(const Program& program, BufferId buffer);

}  // namespace trimtab
