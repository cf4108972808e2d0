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
#include "trimtab/pooled_convolution.h"

namespace trimtab {
namespace {

template <typename T>
const T* data_or_null(const std::vector<T>& items) {
  return items.empty() ? nullptr : items.data();
}

/// A runtime descriptor with its pointers set, its kernel, and its places in the arena.
template <typename Descriptor, typename Function>
struct Call {
  Descriptor descriptor;
  Function function;
  std::int64_t a, b, output, scratch;
};

/// A convolution together with the pool behind it.
template <typename Pool, typename Function>
struct PooledCall {
  Call<runtime::Convolution, ConvolutionFunction> convolution;  ///< its output is the band
  Call<Pool, Function> pool;
  std::int32_t rows;
};

using AnyCall =
    std::variant<Call<runtime::Convolution, ConvolutionFunction>, Call<runtime::MaxPool, MaxPoolFunction>,
                 Call<runtime::AveragePool, AveragePoolFunction>, Call<runtime::Addition, AdditionFunction>,
                 Call<runtime::Multiplication, MultiplicationFunction>, Call<runtime::Lookup, LookupFunction>,
                 Call<runtime::Rescale, RescaleFunction>, Call<runtime::Movement, MovementFunction>,
                 Call<runtime::Softmax, SoftmaxFunction>, PooledCall<runtime::MaxPool, MaxPoolFunction>,
                 PooledCall<runtime::AveragePool, AveragePoolFunction>>;

/// The step owns the constants that the call points at, and the caller the packed weights.
AnyCall bind_step(const Step& step, const Kernel& kernel, const std::uint8_t* weights,
                  const std::vector<std::int64_t>& offsets, std::int64_t scratch) {
  const auto offset = [&](BufferId id) { return offsets.at(static_cast<std::size_t>(id)); };
  const std::int64_t a = offset(step.inputs.at(0));
  const std::int64_t b = step.inputs.size() > 1 ? offset(step.inputs[1]) : 0;
  const KernelFunction function = kernel_function(kernel.name);
  const auto call = [&]<typename Descriptor, typename Function>(const Descriptor& descriptor, const Function* chosen) {
    if (chosen == nullptr) throw failure("kernel '{}' does not run step '{}'", kernel.name, step.name);
    return AnyCall{Call<Descriptor, Function>{descriptor, *chosen, a, b, offset(step.output), scratch}};
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
                 [&](const MaxPoolStep& s) { return call(s.pool, std::get_if<MaxPoolFunction>(&function)); },
                 [&](const AveragePoolStep& s) {
                   runtime::AveragePool descriptor = s.pool;
                   descriptor.multiplier = s.multiplier.data();
                   return call(descriptor, std::get_if<AveragePoolFunction>(&function));
                 },
                 [&](const AdditionStep& s) { return call(s.addition, std::get_if<AdditionFunction>(&function)); },
                 [&](const MultiplicationStep& s) {
                   return call(s.multiplication, std::get_if<MultiplicationFunction>(&function));
                 },
                 [&](const LookupStep& s) {
                   runtime::Lookup descriptor = s.lookup;
                   descriptor.table = s.table.data();
                   return call(descriptor, std::get_if<LookupFunction>(&function));
                 },
                 [&](const SoftmaxStep& s) {
                   runtime::Softmax descriptor = s.softmax;
                   descriptor.table = s.table.data();
                   return call(descriptor, std::get_if<SoftmaxFunction>(&function));
                 },
                 [&](const RescaleStep& s) { return call(s.rescale, std::get_if<RescaleFunction>(&function)); },
                 [&](const MovementStep& s) {
                   runtime::Movement descriptor = s.movement;
                   descriptor.rows = s.rows.data();
                   descriptor.columns = s.columns.data();
                   descriptor.channels = s.channels.data();
                   return call(descriptor, std::get_if<MovementFunction>(&function));
                 }},
      step.operation);
}

/// Both calls in one; `band_bytes` of the convolution's scratch memory are the band.
AnyCall join(const AnyCall& convolution, const AnyCall& pool, std::int32_t rows, std::int64_t band_bytes) {
  auto first = std::get<Call<runtime::Convolution, ConvolutionFunction>>(convolution);
  first.output = first.scratch;
  first.scratch += band_bytes;
  if (const auto* max = std::get_if<Call<runtime::MaxPool, MaxPoolFunction>>(&pool)) {
    return PooledCall<runtime::MaxPool, MaxPoolFunction>{first, *max, rows};
  }
  return PooledCall<runtime::AveragePool, AveragePoolFunction>{
      first, std::get<Call<runtime::AveragePool, AveragePoolFunction>>(pool), rows};
}

template <typename Pool, typename Function>
void run_pooled(const PooledCall<Pool, Function>& call, std::uint8_t* arena) {
  const auto& c = call.convolution;
  runtime::pooled_convolution(c.descriptor, c.function, call.pool.descriptor, call.pool.function, call.rows,
                              arena + c.a, arena + call.pool.output, arena + c.output, arena + c.scratch);
}

void run_call(const AnyCall& any, std::uint8_t* arena) {
  std::visit(overloaded{[&](const Call<runtime::Convolution, ConvolutionFunction>& c) {
                          c.function(c.descriptor, arena + c.a, arena + c.output, arena + c.scratch);
                        },
                        [&](const Call<runtime::Addition, AdditionFunction>& c) {
                          c.function(c.descriptor, arena + c.a, arena + c.b, arena + c.output);
                        },
                        [&](const Call<runtime::Multiplication, MultiplicationFunction>& c) {
                          c.function(c.descriptor, arena + c.a, arena + c.b, arena + c.output);
                        },
                        [&](const PooledCall<runtime::MaxPool, MaxPoolFunction>& c) { run_pooled(c, arena); },
                        [&](const PooledCall<runtime::AveragePool, AveragePoolFunction>& c) { run_pooled(c, arena); },
                        [&](const auto& c) { c.function(c.descriptor, arena + c.a, arena + c.output); }},
             any);
}

}  // namespace

struct ProgramRunner::Binding {
  Binding(Program the_program, Schedule the_schedule)
      : program(std::move(the_program)),
        schedule(std::move(the_schedule)),
        input(image_of(program, program.input)),
        output(image_of(program, program.output)) {
    weights.resize(program.steps.size());
    const auto call = [&](std::size_t s, const Kernel& kernel, std::int64_t scratch) {
      const Step& step = program.steps.at(s);
      if (const auto* convolution = std::get_if<ConvolutionStep>(&step.operation)) {
        weights[s] = pack_weights(*convolution, kernel.layout);
      }
      return bind_step(step, kernel, weights[s].data(), schedule.offsets, scratch);
    };
    for (const ScheduledOperation& operation : schedule.operations) {
      calls.push_back(call(operation.step, operation.kernel, operation.scratch));
      if (const auto& pool = operation.pool) {
        calls.back() = join(calls.back(), call(pool->step, pool->kernel, 0), pool->rows_at_a_time, pool->band_bytes);
      }
    }
  }

  /// Copies a sample without gaps to its place, which has gaps where it is a part of a concatenation.
  void load(const std::uint8_t* sample, std::uint8_t* arena) const {
    const auto pixel = static_cast<std::size_t>(runtime::pixel_bytes(input.channels, input.format.bits));
    std::uint8_t* place = arena + nth(schedule.offsets, program.input);
    for (std::int64_t i = 0; i < std::int64_t{input.height} * input.width; ++i) {
      std::memcpy(place + i * input.pixel_stride, sample + i * static_cast<std::int64_t>(pixel), pixel);
    }
  }

  void store(const std::uint8_t* arena, std::int32_t* result) const {
    const std::uint8_t* place = arena + nth(schedule.offsets, program.output);
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
      binding_->load(inputs.data() + i * sample, bytes);
      for (const AnyCall& call : binding_->calls) run_call(call, bytes);
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
