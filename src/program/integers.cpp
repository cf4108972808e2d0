#include "program/integers.h"

#include "base/index.h"

namespace trimtab {
namespace {

using Json = nlohmann::ordered_json;

constexpr int integers_format = 1;

Json value_json(const Buffer& buffer) {
  Json json = {{"name", buffer.name},        {"height", buffer.height},
               {"width", buffer.width},      {"channels", buffer.channels},
               {"bits", buffer.grid.bits},   {"signed", buffer.grid.is_signed},
               {"scale", buffer.grid.scale}, {"zero_point", buffer.grid.zero_point}};
  if (buffer.parent.has_value())
    json["part_of"] = {{"value", *buffer.parent}, {"first_channel", buffer.parent_channel}};
  return json;
}

Json parts_json(const std::vector<ProgramPart>& parts) {
  auto json = Json::array();
  for (const ProgramPart& part : parts) {
    json.push_back(
        {{"name", part.name}, {"shape", part.shape}, {"scale", part.grid.scale}, {"zero_point", part.grid.zero_point}});
  }
  return json;
}

Json window_json(const runtime::Window& window) {
  return {{"kernel", {window.kernel_height, window.kernel_width}},
          {"stride", {window.stride_rows, window.stride_columns}},
          {"dilation", {window.dilation_rows, window.dilation_columns}},
          {"pad", {window.pad_top, window.pad_left}}};
}

template <typename Descriptor>
void add_range(Json& json, const Descriptor& descriptor) {
  json["minimum"] = descriptor.output_minimum;
  json["maximum"] = descriptor.output_maximum;
}

void add(Json& json, const ConvolutionStep& step) {
  const runtime::Convolution& c = step.convolution;
  json["window"] = window_json(c.window);
  json["groups"] = c.groups;
  json["weight_bits"] = c.weight_bits;
  json["sum_shift"] = c.sum_shift;
  json["shift"] = c.shift;
  json["output_zero"] = c.output_zero;
  add_range(json, c);
  auto weights = Json::array();
  for (std::size_t i = 0; i < step.weights.size(); ++i) weights.push_back(integer_weight(step, i, c.weight_bits));
  json["weights"] = std::move(weights);
  json["bias"] = step.bias;
  json["multiplier"] = step.multiplier;
  if (!step.padding_value.empty()) json["padding"] = step.padding_value;
}
void add(Json& json, const MaxPoolStep& step) {
  json["window"] = window_json(step.pool.window);
  add_range(json, step.pool);
}
void add(Json& json, const AveragePoolStep& step) {
  json["window"] = window_json(step.pool.window);
  json["multiplier"] = step.multiplier;
  json["shift"] = step.pool.shift;
  json["input_zero"] = step.pool.input_zero;
  json["output_zero"] = step.pool.output_zero;
  add_range(json, step.pool);
}
void add(Json& json, const AdditionStep& step) {
  const runtime::Addition& a = step.addition;
  json["multiplier"] = {a.multiplier_a, a.multiplier_b};
  json["offset"] = a.offset;
  json["shift"] = a.shift;
  add_range(json, a);
}
void add(Json& json, const MultiplicationStep& step) {
  const runtime::Multiplication& m = step.multiplication;
  json["input_zero"] = {m.a_zero, m.b_zero};
  json["output_zero"] = m.output_zero;
  json["multiplier"] = m.multiplier;
  json["shift"] = m.shift;
  add_range(json, m);
}
void add(Json& json, const LookupStep& step) {
  // a table of unsigned 16 bits is stored as signed ones
  const bool wide = !step.lookup.output.format.is_signed && step.lookup.output.format.bits == 16;
  auto table = Json::array();
  for (const std::int16_t entry : step.table) {
    table.push_back(wide ? static_cast<std::uint16_t>(entry) : std::int32_t{entry});
  }
  json["table"] = std::move(table);
}
void add(Json& json, const SoftmaxStep& step) {
  json["table"] = step.table;
  json["multiplier"] = step.softmax.multiplier;
  json["shift"] = step.softmax.shift;
  json["output_zero"] = step.softmax.output_zero;
  add_range(json, step.softmax);
}
void add(Json& json, const RescaleStep& step) {
  const runtime::Rescale& r = step.rescale;
  json["multiplier"] = r.multiplier;
  json["shift"] = r.shift;
  json["input_zero"] = r.input_zero;
  json["output_zero"] = r.output_zero;
  add_range(json, r);
}
void add(Json& json, const MovementStep& step) {
  const runtime::Box& box = step.movement.box;
  json["first"] = {box.top, box.left, box.first_channel};
  json["size"] = {box.height, box.width, box.channels};
  json["padding"] = step.movement.padding;
  json["rows"] = step.rows;
  json["columns"] = step.columns;
  json["source_channels"] = step.channels;
}

}  // namespace

nlohmann::ordered_json integers_of(const Program& program) {
  Json json = {
      {"format", integers_format}, {"name", program.name}, {"input", program.input}, {"output", program.output}};
  if (!program.input_parts.empty()) json["inputs"] = parts_json(program.input_parts);
  if (!program.output_parts.empty()) json["outputs"] = parts_json(program.output_parts);
  if (!program.preprocessing.mean.empty()) json["mean"] = program.preprocessing.mean;
  if (!program.preprocessing.deviation.empty()) json["deviation"] = program.preprocessing.deviation;
  if (!program.classes.empty()) json["classes"] = program.classes;
  auto values = Json::array();
  for (const Buffer& buffer : program.buffers) values.push_back(value_json(buffer));
  json["values"] = std::move(values);
  auto steps = Json::array();
  for (const Step& step : program.steps) {
    Json described = {
        {"name", step.name}, {"kind", kind_of(step.operation)}, {"inputs", step.inputs}, {"output", step.output}};
    std::visit([&](const auto& operation) { add(described, operation); }, step.operation);
    steps.push_back(std::move(described));
  }
  json["steps"] = std::move(steps);
  return json;
}

}  // namespace trimtab
