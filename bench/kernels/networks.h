#pragma once

#include <string>
#include <vector>

#include "emit/deploy.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// Bits of all weights and of all activations but the input's and the output's.
struct Bits {
  int weights = 8;
  int activations = 8;
};

/// A network of the kernel table (results/kernels.md): the shapes of MLPerf Tiny and of CMSIS-NN's example, with random
/// weights.
struct TableNetwork {
  std::string name;
  Program (*make)(const Bits& bits);
};
[[nodiscard]] const std::vector<TableNetwork>& table_networks();
/// Those of the table of application processors (results/cortex-a.md): ResNet-8, and MobileNetV1 1.0 at 224 x 224.
[[nodiscard]] const std::vector<TableNetwork>& application_networks();

/// Random bytes for so many samples of the program's input; always the same.
[[nodiscard]] std::vector<std::uint8_t> random_samples(const Program& program, std::int64_t samples);

/// Builds the program for the target and runs two samples in the emulator against the portable kernels on the host.
[[nodiscard]] Deployment measure(const Program& program, const Schedule& plan, const Target& target);
[[nodiscard]] Deployment measure(const Program& program, const Target& target, Optimize optimize);

/// Bytes that no arena can do without, whatever the kernels: the most that is alive between two steps. What a
/// convolution hands to the pool behind it does not count, as the two may run together. No buffer is part of another.
[[nodiscard]] std::int64_t least_arena_bytes(const Program& program);

/// Multiply-accumulates of all steps.
[[nodiscard]] std::int64_t multiply_accumulates(const Program& program);

}  // namespace trimtab
