#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "program/schedule.h"

namespace trimtab {

/// Runs a program at one of its operating points on this machine, many samples at a time, with the kernels of a core.
/// All cores' kernels give the same bits; Core::host is the fastest, Core::generic the portable reference. Building one
/// packs the weights once, so that their bits do not matter for the speed.
class ProgramRunner {
 public:
  /// Throws Error (failure) where the core has kernels that this machine cannot run. The program is copied.
  explicit ProgramRunner(const Program& program, Core core = Core::host, Optimize optimize = Optimize::speed);
  /// At operating point `point`, with kernels and places in memory already chosen.
  ProgramRunner(const Program& program, Schedule schedule, std::size_t point = 0);
  ~ProgramRunner();
  ProgramRunner(ProgramRunner&&) noexcept;
  ProgramRunner& operator=(ProgramRunner&&) noexcept;
  ProgramRunner(const ProgramRunner&) = delete;
  ProgramRunner& operator=(const ProgramRunner&) = delete;

  [[nodiscard]] const Program& program() const;
  [[nodiscard]] const Schedule& schedule() const;

  /// Bytes of one sample: height x width x channels, in the format of the program's input without gaps.
  [[nodiscard]] std::int64_t input_bytes() const;
  /// Integers of one result: height x width x channels, each on the grid of the program's output.
  [[nodiscard]] std::int64_t output_elements() const;

  /// Runs `count` samples that lie one after the other in `inputs`, shared among `threads` threads. Throws Error
  /// (failure) where the sizes do not fit.
  void run(std::span<const std::uint8_t> inputs, std::int64_t count, std::span<std::int32_t> outputs,
           int threads = 1) const;

 private:
  struct Binding;
  std::unique_ptr<Binding> binding_;
};

/// The real numbers that a program's output integers stand for.
[[nodiscard]] std::vector<float> dequantize(const Program& program, std::span<const std::int32_t> outputs);

}  // namespace trimtab
