#include "kernel_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/file.h"
#include "base/process.h"
#include "emit/emulator.h"
#include "emit/firmware.h"
#include "emit/machine.h"
#include "emit/recipe.h"
#include "emit/source.h"
#include "program/pack.h"
#include "support/strict_warnings.h"
#include "target/share.h"
#include "trimtab/convolution_generic.h"
#include "trimtab/elementwise_generic.h"
#include "trimtab/movement.h"
#include "trimtab/pool_generic.h"
#include "trimtab/softmax.h"

namespace trimtab {
namespace {

std::int64_t round_up(std::int64_t bytes) { return (bytes + 15) / 16 * 16; }

template <typename Kernel, typename Descriptor>
void run_one(Kernel* kernel, const Descriptor& step, const std::uint8_t* input, std::uint8_t* output) {
  kernel(step, all_rows(step.output), dense_rows(input, step.input), dense_rows(output, step.output));
}
template <typename Kernel, typename Descriptor>
void run_two(Kernel* kernel, const Descriptor& step, const std::uint8_t* a, const std::uint8_t* b,
             std::uint8_t* output) {
  kernel(step, all_rows(step.output), dense_rows(a, step.a), dense_rows(b, step.b), dense_rows(output, step.output));
}

/// The step by the generic kernels.
void run_generic(const Step& step, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* output) {
  std::visit(overloaded{[&](const ConvolutionStep& s) {
                          runtime::Convolution c = s.convolution;
                          const auto packed = pack_filters(s.weights, c.output.channels, c.weight_bits);
                          std::vector<std::uint8_t> scratch(
                              static_cast<std::size_t>(runtime::convolution_generic_scratch_bytes(c)));
                          c.weights = packed.data();
                          c.bias = s.bias.data();
                          c.multiplier = s.multiplier.data();
                          c.padding_value = s.padding_value.empty() ? nullptr : s.padding_value.data();
                          runtime::convolution_generic(c, all_rows(c.output), dense_rows(a, c.input),
                                                       dense_rows(output, c.output), scratch.data());
                        },
                        [&](const MaxPoolStep& s) { run_one(runtime::max_pool_generic, s.pool, a, output); },
                        [&](const AveragePoolStep& s) {
                          runtime::AveragePool pool = s.pool;
                          pool.multiplier = s.multiplier.data();
                          run_one(runtime::average_pool_generic, pool, a, output);
                        },
                        [&](const AdditionStep& s) { run_two(runtime::addition_generic, s.addition, a, b, output); },
                        [&](const MultiplicationStep& s) {
                          run_two(runtime::multiplication_generic, s.multiplication, a, b, output);
                        },
                        [&](const LookupStep& s) {
                          runtime::Lookup lookup = s.lookup;
                          lookup.table = s.table.data();
                          run_one(runtime::lookup_generic, lookup, a, output);
                        },
                        [&](const SoftmaxStep& s) {
                          runtime::Softmax softmax = s.softmax;
                          softmax.table = s.table.data();
                          run_one(runtime::softmax_generic, softmax, a, output);
                        },
                        [&](const RescaleStep& s) { run_one(runtime::rescale_generic, s.rescale, a, output); },
                        [&](const MovementStep& s) {
                          runtime::Movement movement = s.movement;
                          movement.rows = s.rows.data();
                          movement.columns = s.columns.data();
                          movement.channels = s.channels.data();
                          run_one(runtime::movement_generic, movement, a, output);
                        }},
             step.operation);
}

std::string describe(const runtime::Image& image) {
  return fmt::format("{}x{}x{} {}{}", image.height, image.width, image.channels, image.format.is_signed ? "s" : "u",
                     image.format.bits);
}

std::string describe(const runtime::Window& w) {
  return fmt::format("{}x{} stride {}x{} dilation {}x{} pad {},{}", w.kernel_height, w.kernel_width, w.stride_rows,
                     w.stride_columns, w.dilation_rows, w.dilation_columns, w.pad_top, w.pad_left);
}

}  // namespace

std::string describe(const Step& step) {
  return std::visit(
      overloaded{[](const ConvolutionStep& s) {
                   const runtime::Convolution& c = s.convolution;
                   return fmt::format("convolution {} -> {}, {}, groups {}, weights {}, range {}..{}{}",
                                      describe(c.input), describe(c.output), describe(c.window), c.groups,
                                      c.weight_bits, c.output_minimum, c.output_maximum,
                                      s.padding_value.empty() ? "" : ", padding values");
                 },
                 [](const MaxPoolStep& s) {
                   return fmt::format("max pool {} -> {}, {}", describe(s.pool.input), describe(s.pool.output),
                                      describe(s.pool.window));
                 },
                 [](const AveragePoolStep& s) {
                   return fmt::format("average pool {} -> {}, {}", describe(s.pool.input), describe(s.pool.output),
                                      describe(s.pool.window));
                 },
                 [](const AdditionStep& s) {
                   return fmt::format("addition {} + {} -> {}", describe(s.addition.a), describe(s.addition.b),
                                      describe(s.addition.output));
                 },
                 [](const MultiplicationStep& s) {
                   return fmt::format("multiplication {} * {} -> {}", describe(s.multiplication.a),
                                      describe(s.multiplication.b), describe(s.multiplication.output));
                 },
                 [](const SoftmaxStep& s) { return fmt::format("softmax {}", describe(s.softmax.input)); },
                 [](const LookupStep& s) { return fmt::format("lookup {}", describe(s.lookup.input)); },
                 [](const MovementStep& s) {
                   return fmt::format("movement {} -> {}", describe(s.movement.input), describe(s.movement.output));
                 },
                 [](const RescaleStep& s) {
                   return fmt::format("rescale {} -> {}", describe(s.rescale.input), describe(s.rescale.output));
                 }},
      step.operation);
}

namespace {

/// Of the last byte of every pixel: kernels may leave anything behind the last channel.
void clear_unused_bits(std::vector<std::uint8_t>& image, const Buffer& buffer) {
  const int used = buffer.channels * buffer.grid.bits % 8;
  if (used == 0) return;
  const auto pixel = static_cast<std::size_t>(runtime::pixel_bytes(buffer.channels, buffer.grid.bits));
  for (std::size_t end = pixel; end <= image.size(); end += pixel) {
    image[end - 1] = static_cast<std::uint8_t>(image[end - 1] & ((1U << used) - 1));
  }
}

/// The complaints of the target's compiler about the source under strict warnings: a firmware may compile it with its
/// own flags. Empty where it finds nothing.
std::string complaint_about(const std::filesystem::path& source, const Target& target, Optimize optimize) {
  const Toolchain& toolchain = *traits_of(target.processor).toolchain;
  std::vector<std::string> command{std::string(toolchain.compiler)};
  const BuildRecipe recipe = recipe_of(target, optimize);
  for (const auto* flags : {&recipe.core_flags, &recipe.flags, &test::strict_warnings})
    command.insert(command.end(), flags->begin(), flags->end());
  command.erase(std::find(command.begin(), command.end(), "-w"));
  command.insert(command.end(), {"-fsyntax-only", "-Wshadow", "-I", source.parent_path().string(), source.string()});
  if (!toolchain.library.empty()) command.emplace_back(toolchain.library);
  const ProcessResult result = run_process(command, std::string(toolchain.hint));
  return result.errors.substr(0, 2000);
}

}  // namespace

CasesResult run_cases(const Program& cases, const Target& target, Optimize optimize, bool overlap,
                      std::int64_t scratch_limit) {
  Program program = cases;
  Schedule plan;
  plan.core = core_of(target);
  plan.places.resize(program.buffers.size());
  std::int64_t end = 0;
  std::int64_t scratch = 0;
  const auto place = [&](BufferId id, std::int64_t offset) {
    plan.places[static_cast<std::size_t>(id)].offset = offset;
    end = std::max(end, offset + round_up(program.buffers[static_cast<std::size_t>(id)].bytes()));
  };
  for (const Step& step : program.steps) {
    plan.add_whole(program, choose_kernel(step, plan.core, optimize, scratch_limit), 0);
    const Kernel& kernel = plan.kernels.back();
    scratch = std::max(scratch, kernel.scratch_bytes);
    const std::int64_t begin = end;
    if (overlap && (kernel.in_place || kernel.overlap_lead_bytes.has_value())) {
      place(step.inputs[0], begin + round_up(kernel.in_place ? 0 : *kernel.overlap_lead_bytes));
      place(step.output, begin);
    } else {
      place(step.inputs[0], begin);
      place(step.output, end);
    }
    if (step.inputs.size() > 1) place(step.inputs[1], end);
  }
  plan.arena_bytes = end + round_up(scratch);
  for (ScheduledOperation& operation : plan.operations) operation.scratch = end;

  // the whole arena but the scratch memory is both input and output
  Buffer all;
  all.channels = static_cast<std::int32_t>(end);
  program.buffers.push_back(all);
  plan.places.emplace_back();
  program.input = program.output = static_cast<BufferId>(program.buffers.size() - 1);
  program.name = "cases";

  Random random(7);
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(end));
  for (std::uint8_t& byte : memory) byte = static_cast<std::uint8_t>(random.bits());

  const TemporaryDirectory directory;
  write_sources(program, plan, recipe_of(target, optimize), "cases", runtime_directory(), directory.path());
  FirmwareSources sources;
  sources.sources = {directory.path() / "cases.cpp"};
  sources.include_directories = {directory.path()};
  sources.program_name = "cases";
  const Target board = with_memory_of_board(target);
  const BuildResult build = build_firmware(sources, board, optimize, directory.path() / "cases.elf");
  const EmulatorRun run = run_firmware(build.elf, board, memory, end, end);

  CasesResult result;
  const std::string complaint = complaint_about(directory.path() / "cases.cpp", target, optimize);
  if (!complaint.empty()) result.wrong.push_back(complaint);
  result.instructions = run.greatest_instructions.front();
  result.text_bytes = build.size.text;
  for (std::size_t index = 0; index < program.steps.size(); ++index) {
    const Step& step = program.steps[index];
    const auto offset = [&](BufferId id) { return plan.places[static_cast<std::size_t>(id)].offset; };
    const std::int64_t bytes = program.buffers[static_cast<std::size_t>(step.output)].bytes();
    std::vector<std::uint8_t> expected(memory.begin() + offset(step.output),
                                       memory.begin() + offset(step.output) + bytes);
    run_generic(step, memory.data() + offset(step.inputs[0]), memory.data() + offset(step.inputs.back()),
                expected.data());
    std::vector<std::uint8_t> got(run.outputs.begin() + offset(step.output),
                                  run.outputs.begin() + offset(step.output) + bytes);
    for (std::vector<std::uint8_t>* image : {&expected, &got}) {
      clear_unused_bits(*image, program.buffers[static_cast<std::size_t>(step.output)]);
    }
    const auto differing = std::mismatch(expected.begin(), expected.end(), got.begin());
    result.kernels.push_back(plan.kernels[index].name);
    if (differing.first != expected.end()) {
      result.wrong.push_back(fmt::format("{} by {}: byte {} of {} is {} instead of {}", describe(step),
                                         plan.kernels[index].name, differing.first - expected.begin(), bytes,
                                         *differing.second, *differing.first));
    }
  }
  return result;
}

void add_random_convolution(ProgramBuilder& builder, const std::vector<int>& activation_bits, bool depthwise) {
  Random& random = builder.random;
  const auto pick = [&](int low, int high) { return static_cast<int>(random.integer(low, high)); };
  const auto grid = [&] {
    ActivationGrid chosen;
    chosen.bits = activation_bits[static_cast<std::size_t>(pick(0, static_cast<int>(activation_bits.size()) - 1))];
    chosen.is_signed = pick(0, 1) == 1;
    return chosen;
  };
  ConvolutionShape shape;
  shape.kernel_height = pick(0, 2) == 0 ? 3 : pick(1, 7);
  shape.kernel_width = pick(0, 2) == 0 ? shape.kernel_height : pick(1, 7);
  if (pick(0, 3) == 0) shape.kernel_height = shape.kernel_width = depthwise ? 3 : 1;
  shape.stride_rows = pick(1, 3);
  shape.stride_columns = pick(0, 2) == 0 ? pick(1, 3) : shape.stride_rows;
  shape.dilation_rows = pick(0, 5) == 0 ? 2 : 1;
  shape.dilation_columns = pick(0, 5) == 0 ? 2 : shape.dilation_rows;
  if (pick(0, 3) != 0) {
    shape.pad_top = pick(0, shape.kernel_height - 1);
    shape.pad_bottom = pick(0, shape.kernel_height - 1);
    shape.pad_left = pick(0, shape.kernel_width - 1);
    shape.pad_right = pick(0, shape.kernel_width - 1);
  }
  const int least_height = shape.dilation_rows * (shape.kernel_height - 1) + 1;
  const int least_width = shape.dilation_columns * (shape.kernel_width - 1) + 1;
  const int height = pick(std::max(least_height - shape.pad_top - shape.pad_bottom, 1), least_height + 9);
  const int width = pick(std::max(least_width - shape.pad_left - shape.pad_right, 1), least_width + 9);
  int channels = pick(0, 2) == 0 ? 4 * pick(1, 8) : pick(1, 19);
  if (depthwise) {
    shape.groups = shape.outputs = channels;
  } else {
    shape.outputs = pick(0, 1) == 0 ? 4 * pick(1, 6) : pick(1, 19);
    if (pick(0, 4) == 0) {
      shape.groups = pick(2, 3);
      channels = shape.groups * pick(1, 5);
      shape.outputs = shape.groups * pick(1, 5);
    }
    if (pick(0, 9) == 0) {  // a linear layer
      shape = {};
      shape.outputs = pick(1, 12);
      channels = pick(1, 200);
      const BufferId vector = builder.add_buffer(1, 1, channels, grid());
      builder.convolution(vector, shape, grid(), pick(2, 8));
      return;
    }
  }
  const BufferId input = builder.add_buffer(height, width, channels, grid());
  builder.convolution(input, shape, grid(), pick(0, 2) == 0 ? 8 : pick(2, 8), pick(0, 3) == 0);
}

}  // namespace trimtab
