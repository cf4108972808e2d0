#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/nested_network.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// What a step has at one operating point (runtime/trimtab/operating_points.h).
struct StepSetting {
  bool varies = false;             ///< whether the step has settings at all: convolutions, average pools, additions
  std::vector<std::int32_t> bias;  ///< convolutions
  std::int32_t output_minimum = 0;
  std::int32_t output_maximum = 0;
  std::uint8_t weight_bits = 8;  ///< convolutions
  std::uint8_t shift = 0;
};

/// An integer program with one set of weights for all operating points. In `program` the weights of every convolution
/// are the stored digits of the nested grid, every activation takes a byte at every precision, and multipliers serve
/// all points; it has the settings of the first.
struct ScalableProgram {
  Program program;
  std::vector<std::vector<StepSetting>> points;  ///< by point and step
};

/// Lowers a scalable network. Throws Error as lower() does, and (bad input), naming layer and point, where an
/// accumulator could overflow.
[[nodiscard]] ScalableProgram lower_scalable(const NestedNetwork& network, const std::vector<OperatingPoint>& points,
                                             const Preprocessing& preprocessing,
                                             const std::vector<std::string>& classes);

/// The program with the settings of a point. Its convolutions still hold stored digits: run it with schedule_point.
[[nodiscard]] Program program_at(const ScalableProgram& scalable, std::size_t point);

/// Binds a point's program to this machine (Core::host) or to the portable kernels (any other core), with the nested
/// grid's kernels for its convolutions.
[[nodiscard]] Schedule schedule_point(const Program& program, Core core);

/// Bytes in flash that one operating point takes: its settings, biases included.
[[nodiscard]] std::int64_t point_bytes(const ScalableProgram& scalable);

}  // namespace trimtab
