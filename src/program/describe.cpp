#include "program/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/index.h"
#include "base/units.h"

namespace trimtab {
namespace {

const Buffer& output_of(const Program& program, const Step& step) { return nth(program.buffers, step.output); }

int weight_bits(const Step& step) {
  const auto* convolution = std::get_if<ConvolutionStep>(&step.operation);
  return convolution != nullptr ? convolution->convolution.weight_bits : 0;
}

std::string shape(const Buffer& buffer) {
  return fmt::format("{}x{}x{}", buffer.height, buffer.width, buffer.channels);
}

/// 'A' to 'Z', then 'a' to 'z', then again.
char letter(std::size_t buffer) {
  const auto index = static_cast<int>(buffer % 52);
  return static_cast<char>(index < 26 ? 'A' + index : 'a' + index - 26);
}

/// Whether a buffer is another, or a part of it.
bool is_within(const Program& program, BufferId part, BufferId whole) {
  while (part != whole) {
    const auto& parent = nth(program.buffers, part).parent;
    if (!parent) return false;
    part = *parent;
  }
  return true;
}

/// The steps before step `reader` that write what it reads, -1 for the program's input.
std::vector<std::int64_t> producers(const Program& program, std::size_t reader) {
  std::vector<std::int64_t> steps;
  for (const BufferId input : program.steps[reader].inputs) {
    bool made = false;
    for (std::size_t s = 0; s < reader; ++s) {
      const BufferId output = program.steps[s].output;
      if (!is_within(program, output, input) && !is_within(program, input, output)) continue;
      made = true;
      if (std::ranges::find(steps, static_cast<std::int64_t>(s)) == steps.end())
        steps.push_back(static_cast<std::int64_t>(s));
    }
    if (!made) steps.push_back(-1);
  }
  return steps;
}

/// The last step that writes to a buffer, -1 for the program's input.
std::int64_t maker_of(const Program& program, BufferId buffer) {
  std::int64_t maker = -1;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    if (is_within(program, program.steps[s].output, buffer)) maker = static_cast<std::int64_t>(s);
  }
  return maker;
}

/// The most that a strip of a step takes.
std::int64_t scratch_bytes(const Schedule& schedule, std::size_t step) {
  std::int64_t bytes = schedule.kernels[step].scratch_bytes;
  for (const KernelVariant& variant : schedule.variants) {
    if (variant.step == step) bytes = std::max(bytes, variant.kernel.scratch_bytes);
  }
  return bytes;
}

}  // namespace

std::string describe_steps(const Program& program, const Schedule& schedule, bool explain) {
  std::size_t width = 5;
  for (const Step& step : program.steps) width = std::max(width, step.name.size());
  width = std::min<std::size_t>(width, 40);
  std::string text = fmt::format("{:<{}}  {:>12}  {:>7}  {:>11}  {:>12}  {:>9}  {:>8}  kernel\n", "layer", width,
                                 "output", "weights", "activations", "MACs", "constants", "scratch");
  std::int64_t operations = 0;
  std::int64_t constants = 0;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const Step& step = program.steps[s];
    const Buffer& output = output_of(program, step);
    const int bits = weight_bits(step);
    const Kernel& kernel = schedule.kernels[s];
    text += fmt::format("{:<{}}  {:>12}  {:>7}  {:>11}  {:>12}  {:>9}  {:>8}  {}\n", step.name, width, shape(output),
                        bits > 0 ? fmt::format("{} bit", bits) : "", fmt::format("{} bit", output.grid.bits),
                        format_count(step.multiply_accumulates()), format_count(step.constant_bytes()),
                        format_count(scratch_bytes(schedule, s)), kernel.name);
    if (explain) text += fmt::format("{:<{}}  {}\n", "", width, kernel.reason);
    for (const std::string& other : schedule.other_kernels(s))
      text += fmt::format("{:<{}}  some strips by {}\n", "", width, other);
    operations += step.multiply_accumulates();
    constants += step.constant_bytes();
  }
  text += fmt::format("\n{} MACs, {} bytes of constants; arena {} bytes, of which {} are needed at its fullest step\n",
                      format_count(operations), format_count(constants), format_count(schedule.arena_bytes),
                      format_count(schedule.lower_bound_bytes));
  return text;
}

std::string describe_pushes(const Program& program, const Schedule& schedule) {
  if (schedule.input_form() == InputForm::whole) return {};
  const std::vector<std::int64_t> products = push_products(schedule, program);
  const std::int64_t all =
      std::max<std::int64_t>(std::accumulate(products.begin(), products.end(), std::int64_t{0}), 1);
  const auto longest = std::ranges::max_element(products);
  const auto share = [&](std::int64_t count) {
    return fmt::format("{} MACs ({:.1f} %)", format_count(count), 100.0 * double(count) / double(all));
  };
  return fmt::format("{} rows are pushed; the longest push, of row {}, takes {}; after the last row {} remain\n",
                     products.size(), longest - products.begin(), share(*longest), share(products.back()));
}

std::string draw_arena(const Program& program, const Schedule& schedule) {
  constexpr std::int64_t columns = 96;
  const std::int64_t unit = std::max<std::int64_t>((schedule.arena_bytes + columns - 1) / columns, 1);
  std::string text = fmt::format("one column is {} bytes\n", format_count(unit));
  const auto paint = [&](std::string& line, std::int64_t offset, std::int64_t bytes, char sign) {
    for (std::int64_t column = offset / unit; bytes > 0 && column <= (offset + bytes - 1) / unit && column < columns;
         ++column) {
      char& cell = nth(line, column);
      cell = cell == '.' || cell == sign ? sign : '*';
    }
  };
  const std::int64_t operations = std::ssize(schedule.operations);
  constexpr std::int64_t most_lines = 64;
  const std::int64_t apart = std::max<std::int64_t>((operations + most_lines - 1) / most_lines, 1);
  if (apart > 1) text += fmt::format("one line is {} operations\n", apart);
  for (std::int64_t t = 0; t < operations; t += apart) {
    std::string line(columns, '.');
    for (const ArenaUse& use : schedule.uses) {
      if (use.first > t || use.last < t) continue;
      paint(line, use.offset, use.bytes, use.buffer < 0 ? '+' : letter(static_cast<std::size_t>(use.buffer)));
    }
    text += fmt::format("{}  {}\n", line, program.steps[nth(schedule.operations, t).step].name);
  }
  for (std::size_t id = 0; id < program.buffers.size(); ++id) {
    const bool used =
        std::ranges::find(schedule.uses, static_cast<BufferId>(id), &ArenaUse::buffer) != schedule.uses.end();
    if (!used) continue;
    const RowPlaces& places = schedule.places[id];
    const std::string where = places.table < 0 ? fmt::format("bytes at {:>8}", format_count(places.offset))
                                               : fmt::format("bytes in {} rows", program.buffers[id].height);
    text += fmt::format("{}  {:>8} {:<17}  {}\n", letter(id), format_count(program.buffers[id].bytes()), where,
                        program.buffers[id].name);
  }
  return text;
}

nlohmann::ordered_json to_json(const Program& program, const Schedule& schedule) {
  auto steps = nlohmann::ordered_json::array();
  const std::vector<std::int32_t> rows = strip_rows(schedule);
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const Step& step = program.steps[s];
    const Buffer& output = output_of(program, step);
    const Kernel& kernel = schedule.kernels[s];
    steps.push_back({{"layer", step.name},
                     {"kind", kind_of(step.operation)},
                     {"inputs", producers(program, s)},
                     {"output_name", output.name},
                     {"output_shape", {output.height, output.width, output.channels}},
                     {"weight_bits", weight_bits(step)},
                     {"activation_bits", output.grid.bits},
                     {"macs", step.multiply_accumulates()},
                     {"constant_bytes", step.constant_bytes()},
                     {"kernel", kernel.name},
                     {"reason", kernel.reason},
                     {"scratch_bytes", scratch_bytes(schedule, s)},
                     {"strip_rows", rows[s]}});
    const RowPlaces& places = nth(schedule.places, step.output);
    if (places.table < 0) steps.back()["output_offset"] = places.offset;
    for (const std::string& other : schedule.other_kernels(s)) steps.back()["other_kernels"].push_back(other);
  }
  nlohmann::ordered_json json = {{"name", program.name},
                                 {"layers", steps},
                                 {"arena_bytes", schedule.arena_bytes},
                                 {"arena_lower_bound_bytes", schedule.lower_bound_bytes}};
  if (schedule.input_form() == InputForm::pushed) json["push_macs"] = push_products(schedule, program);
  json["version"] = TRIMTAB_VERSION;
  return json;
}

nlohmann::ordered_json memory_json(const Program& program, const Schedule& schedule) {
  std::vector<std::size_t> operations;
  for (const ScheduledOperation& operation : schedule.operations) operations.push_back(operation.step);
  auto values = nlohmann::ordered_json::array();
  std::vector<std::vector<const ArenaUse*>> uses(program.buffers.size() + 1);  // the last: scratch memory
  for (const ArenaUse& use : schedule.uses)
    uses[use.buffer < 0 ? program.buffers.size() : static_cast<std::size_t>(use.buffer)].push_back(&use);
  for (std::size_t id = 0; id < uses.size(); ++id) {
    if (uses[id].empty()) continue;
    const bool scratch = id == program.buffers.size();
    nlohmann::ordered_json value = {{"name", scratch ? "scratch memory" : program.buffers[id].name},
                                    {"layer", scratch ? -1 : maker_of(program, static_cast<BufferId>(id))},
                                    {"scratch", scratch}};
    for (const ArenaUse* use : uses[id]) value["uses"].push_back({use->offset, use->bytes, use->first, use->last});
    values.push_back(value);
  }
  return {{"arena_bytes", schedule.arena_bytes},
          {"arena_lower_bound_bytes", schedule.lower_bound_bytes},
          {"operations", operations},
          {"values", values}};
}

std::string describe_points(const Program& program, std::size_t shown) {
  std::string text = fmt::format("  {:>5}  {:>10}", "point", "energy nJ");
  for (const Level& level : program.levels) text += fmt::format("  {:>16}", level.name);
  if (program.levels.empty() && program.measure) text += fmt::format("  {:>16}", info_of(*program.measure).name);
  text += "\n";
  for (std::size_t k = 0; k < program.points.size(); ++k) {
    const ProgramPoint& point = program.points[k];
    text += fmt::format("{} {:>5}  {:>10.1f}", k == shown ? "*" : " ", k, point.energy_nj);
    for (const double quality : point.quality) text += fmt::format("  {:>16}", format_value(*program.measure, quality));
    text += "\n";
  }
  return text;
}

void add_points(nlohmann::ordered_json& json, const Program& program, std::size_t shown) {
  json["point"] = shown;
  for (const Level& level : program.levels) json["levels"].push_back(level.name);
  for (const ProgramPoint& point : program.points) {
    json["points"].push_back({{"energy_nj", point.energy_nj}});
    if (program.measure) json["points"].back()[info_of(*program.measure).key] = point.quality;
  }
}

}  // namespace trimtab
