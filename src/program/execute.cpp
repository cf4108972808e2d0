#include "program/execute.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "program/kernel_functions.h"
#include "program/pack.h"

namespace trimtab {
namespace {

template <typename T>
const T* data_or_null(const std::vector<T>& items) {
  return items.empty() ? nullptr : items.data();
}

/// Where the rows of a value lie in an arena.
struct BoundRows {
  std::int64_t offset = 0;
  const std::uint16_t* table = nullptr;
  std::int32_t pitch = 0;

  BoundRows() = default;
  BoundRows(const Program& program, const Schedule& schedule, BufferId id) {
    const RowPlaces& places = nth(schedule.places, id);
    const runtime::Image image = image_of(program, id);
    offset = places.offset;
    table = places.table < 0 ? nullptr : nth(schedule.row_tables, places.table).data();
    pitch = image.width * image.pixel_stride;
  }
  [[nodiscard]] runtime::InputRows input(const std::uint8_t* arena) const { return {arena + offset, table, pitch}; }
  [[nodiscard]] runtime::OutputRows output(std::uint8_t* arena) const { return {arena + offset, table, pitch}; }
};

/// A runtime descriptor with its pointers set, its kernel, its rows, and its places in the arena.
template <typename Descriptor, typename Function>
struct Call {
  Descriptor descriptor;
  Function function;
  runtime::Strip strip;
  BoundRows a, b, output;
  std::int64_t scratch;
};

template <typename Descriptor>
using OneInputCall = Call<Descriptor, OneInputFunction<Descriptor>>;
template <typename Descriptor>
using TwoInputCall = Call<Descriptor, TwoInputFunction<Descriptor>>;
using ConvolutionCall = Call<runtime::Convolution, ConvolutionFunction>;

using AnyCall =
    std::variant<ConvolutionCall, OneInputCall<runtime::MaxPool>, OneInputCall<runtime::AveragePool>,
                 TwoInputCall<runtime::Addition>, TwoInputCall<runtime::Multiplication>, OneInputCall<runtime::Lookup>,
                 OneInputCall<runtime::Rescale>, OneInputCall<runtime::Movement>, OneInputCall<runtime::Softmax>>;

/// The step owns the constants that the call points at, the schedule its tables, and the caller the packed weights.
AnyCall bind_operation(const Program& program, const Schedule& schedule, const ScheduledOperation& operation,
                       const std::uint8_t* weights) {
  const Step& step = program.steps.at(operation.step);
  const Kernel& kernel = schedule.kernel_of(operation);
  const BoundRows a(program, schedule, step.inputs.at(0));
  const BoundRows b = step.inputs.size() > 1 ? BoundRows(program, schedule, step.inputs[1]) : BoundRows();
  const BoundRows output(program, schedule, step.output);
  const runtime::Strip strip{operation.first_row, operation.rows};
  const KernelFunction function = kernel_function(kernel.name);
  const auto call = [&]<typename Descriptor, typename Function>(const Descriptor& descriptor, const Function* chosen) {
    if (chosen == nullptr) throw failure("kernel '{}' does not run step '{}'", kernel.name, step.name);
    return AnyCall{Call<Descriptor, Function>{descriptor, *chosen, strip, a, b, output, operation.scratch}};
  };
  return std::visit(
      overloaded{[&](const ConvolutionStep& s) {
                   runtime::Convolution descriptor = s.convolution;
                   descriptor.weights = weights;
                   descriptor.bias = s.bias.data();
                   descriptor.multiplier = s.multiplier.data();
                   descriptor.padding_value = data_or_null(s.padding_value);
                   return call(descriptor, std::get_if<ConvolutionFunction>(&function));
                 },
                 [&](const MaxPoolStep& s) {
                   return call(s.pool, std::get_if<OneInputFunction<runtime::MaxPool>>(&function));
                 },
                 [&](const AveragePoolStep& s) {
                   runtime::AveragePool descriptor = s.pool;
                   descriptor.multiplier = s.multiplier.data();
                   return call(descriptor, std::get_if<OneInputFunction<runtime::AveragePool>>(&function));
                 },
                 [&](const AdditionStep& s) {
                   return call(s.addition, std::get_if<TwoInputFunction<runtime::Addition>>(&function));
                 },
                 [&](const MultiplicationStep& s) {
                   return call(s.multiplication, std::get_if<TwoInputFunction<runtime::Multiplication>>(&function));
                 },
                 [&](const LookupStep& s) {
                   runtime::Lookup descriptor = s.lookup;
                   descriptor.table = s.table.data();
                   return call(descriptor, std::get_if<OneInputFunction<runtime::Lookup>>(&function));
                 },
                 [&](const RescaleStep& s) {
                   return call(s.rescale, std::get_if<OneInputFunction<runtime::Rescale>>(&function));
                 },
                 [&](const SoftmaxStep& s) {
                   runtime::Softmax descriptor = s.softmax;
                   descriptor.table = s.table.data();
                   return call(descriptor, std::get_if<OneInputFunction<runtime::Softmax>>(&function));
                 },
                 [&](const MovementStep& s) {
                   runtime::Movement descriptor = s.movement;
                   descriptor.rows = s.rows.data();
                   descriptor.columns = s.columns.data();
                   descriptor.channels = s.channels.data();
                   return call(descriptor, std::get_if<OneInputFunction<runtime::Movement>>(&function));
                 }},
      step.operation);
}

void run_call(const AnyCall& any, std::uint8_t* arena) {
  std::visit(overloaded{[&](const ConvolutionCall& c) {
                          c.function(c.descriptor, c.strip, c.a.input(arena), c.output.output(arena),
                                     arena + c.scratch);
                        },
                        [&]<typename Descriptor>(const TwoInputCall<Descriptor>& c) {
                          c.function(c.descriptor, c.strip, c.a.input(arena), c.b.input(arena), c.output.output(arena));
                        },
                        [&]<typename Descriptor>(const OneInputCall<Descriptor>& c) {
                          c.function(c.descriptor, c.strip, c.a.input(arena), c.output.output(arena));
                        }},
             any);
}

}  // namespace

struct ProgramRunner::Binding {
  Binding(Program the_program, Schedule the_schedule)
      : program(std::move(the_program)),
        schedule(std::move(the_schedule)),
        input(image_of(program, program.input)),
        output(image_of(program, program.output)) {
    weights.resize(schedule.kernels.size());
    for (const ScheduledOperation& operation : schedule.operations) {
      const auto* convolution = std::get_if<ConvolutionStep>(&program.steps.at(operation.step).operation);
      std::vector<std::uint8_t>& packed = weights.at(operation.step);
      if (convolution != nullptr && packed.empty()) {
        packed = pack_weights(*convolution, schedule.kernels[operation.step].layout);
      }
      calls.push_back(bind_operation(program, schedule, operation, packed.data()));
    }
  }

  /// Runs all operations on a sample without gaps, whose rows are copied to their places: all of them before, or each
  /// before its push.
  void run(const std::uint8_t* sample, std::uint8_t* arena) const {
    const BoundRows places(program, schedule, program.input);
    const auto row_bytes = static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.pixel_stride);
    std::size_t next = 0;
    for (std::int32_t row = 0; row < input.height; ++row, sample += row_bytes) {
      std::memcpy(places.output(arena)[row], sample, row_bytes);
      if (schedule.input_form() == InputForm::whole) continue;
      for (; next < nth(schedule.pushes, row); ++next) run_call(calls[next], arena);
    }
    for (; next < calls.size(); ++next) run_call(calls[next], arena);
  }

  void store(const std::uint8_t* arena, std::int32_t* result) const {
    const std::uint8_t* place = arena + nth(schedule.places, program.output).offset;
    for (std::int64_t i = 0; i < std::int64_t{output.height} * output.width; ++i, place += output.pixel_stride) {
      for (std::int32_t c = 0; c < output.channels; ++c) {
        *result++ = runtime::load_activation(place, c, output.format);
      }
    }
  }

  Program program;
  Schedule schedule;
  runtime::Image input;
  runtime::Image output;
  std::vector<std::vector<std::uint8_t>> weights;  // by step, packed
  std::vector<AnyCall> calls;                      // point into program and weights
};

ProgramRunner::ProgramRunner(const Program& program, Core core, Optimize optimize)
    : ProgramRunner(program, trimtab::schedule(program, core, optimize)) {}
ProgramRunner::ProgramRunner(const Program& program, Schedule schedule, std::size_t point)
    : binding_(std::make_unique<Binding>(program_at(program, point), std::move(schedule))) {}
ProgramRunner::~ProgramRunner() = default;
ProgramRunner::ProgramRunner(ProgramRunner&&) noexcept = default;
ProgramRunner& ProgramRunner::operator=(ProgramRunner&&) noexcept = default;

const Program& ProgramRunner::program() const { return binding_->program; }
const Schedule& ProgramRunner::schedule() const { return binding_->schedule; }

std::int64_t ProgramRunner::input_bytes() const { return nth(program().buffers, program().input).bytes(); }
std::int64_t ProgramRunner::output_elements() const { return nth(program().buffers, program().output).elements(); }

void ProgramRunner::run(std::span<const std::uint8_t> inputs, std::int64_t count, std::span<std::int32_t> outputs,
                        int threads) const {
  const std::int64_t sample = input_bytes();
  const std::int64_t result = output_elements();
  if (std::ssize(inputs) != count * sample || std::ssize(outputs) != count * result) {
    throw failure("{} samples need {} bytes of input and {} integers of output; there are {} and {}", count,
                  count * sample, count * result, inputs.size(), outputs.size());
  }
  std::atomic<std::int64_t> next{0};
  const auto work = [&] {
    std::vector<std::uint64_t> arena(static_cast<std::size_t>(schedule().arena_bytes / 8 + 1));  // aligned to 8 bytes
    auto* bytes = reinterpret_cast<std::uint8_t*>(arena.data());
    for (std::int64_t i = next++; i < count; i = next++) {
      binding_->run(inputs.data() + i * sample, bytes);
      binding_->store(bytes, outputs.data() + i * result);
    }
  };
  const auto helpers = std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(count, 1)) - 1;
  std::vector<std::jthread> pool;
  for (std::int64_t t = 0; t < helpers; ++t) pool.emplace_back(work);
  work();
}

std::vector<float> dequantize(const Program& program, std::span<const std::int32_t> outputs) {
  const std::vector<ActivationGrid> grids = output_grids(program);
  std::vector<float> reals(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) reals[i] = dequantize(outputs[i], grids[i % grids.size()]);
  return reals;
}

}  // namespace trimtab
