#include "emit/value_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <set>

#include "base/index.h"
#include "emit/c_text.h"

namespace trimtab {
namespace {

/// Expressions of C for integer number i of a value that lies at `base`. Packed integers begin a byte with every pixel.
struct Field {
  std::string byte;  ///< that holds it
  std::string shift;
  int mask = 0;
  int sign = 0;  ///< the sign's bit; 0: unsigned
};

Field field_of(const Buffer& buffer, const std::string& base) {
  const std::int32_t bits = buffer.grid.bits;
  const std::int32_t stride = runtime::pixel_bytes(buffer.channels, bits);
  return {fmt::format("{}[i / {} * {} + i % {} * {} / 8]", base, buffer.channels, stride, buffer.channels, bits),
          fmt::format("(i % {} * {} % 8)", buffer.channels, bits), (1 << bits) - 1,
          buffer.grid.is_signed ? 1 << (bits - 1) : 0};
}

std::string load_function(const Buffer& output, const std::string& name) {
  std::string body;
  if (output.grid.bits >= 8) {
    body = "  return output[i];\n";
  } else {
    const Field field = field_of(output, "output");
    body = fmt::format("  const int32_t field = (int32_t)({} >> {}) & {};\n", field.byte, field.shift, field.mask);
    body += field.sign == 0 ? "  return field;\n" : fmt::format("  return (field ^ {0}) - {0};\n", field.sign);
  }
  return fmt::format(
      "/* Integer number i of an output. */\nstatic inline int32_t {}_output_at(const {} *output, int32_t i) "
      "{{\n{}}}\n",
      name, element_type(output.grid), body);
}

/// The statement that stores `integer` as number i of the input.
std::string store(const Buffer& input) {
  const std::string type = element_type(input.grid);
  if (input.grid.bits >= 8) return fmt::format("    input[i] = ({})integer;\n", type);
  const Field field = field_of(input, "input");
  return fmt::format("    {0} = ({1})(({0} & ~({2} << {3})) | ((integer & {2}) << {3}));\n", field.byte, type,
                     field.mask, field.shift);
}

std::string list(const Program& program, std::int64_t channels, bool means) {
  std::string text;
  for (std::int64_t c = 0; c < channels; ++c)
    text += float_literal(means ? program.preprocessing.mean_of(c) : program.preprocessing.deviation_of(c)) + ",";
  return text;
}

std::string quantize_function(const Program& program, const std::string& name, const ProgramEnd& end, bool row) {
  const Buffer& input = nth(program.buffers, program.input);
  const bool several = !program.input_parts.empty();
  std::string constants;
  std::string real = "values[i]";
  std::string preprocessed;
  if (!program.preprocessing.mean.empty() || !program.preprocessing.deviation.empty()) {
    preprocessed = " They are raw features: mean and deviation are\n * taken care of.";
    constants = fmt::format("  static const float mean[] = {{{}}};\n  static const float deviation[] = {{{}}};\n",
                            list(program, input.channels, true), list(program, input.channels, false));
    real = fmt::format("(values[i] - mean[i % {0}]) / deviation[i % {0}]", input.channels);
  }
  const std::string which =
      several ? fmt::format("The input '{}', {}, channels first", in_comment(end.name), to_string(end.shape))
      : row   ? "One row of real numbers, width x channels"
              : "One sample of real numbers, height x width x channels";
  const std::string begin = several ? fmt::format("{}_{}_FIRST", upper(name), end.macro) : "0";
  const std::string limit = several ? fmt::format("{0} + {1}_{2}_COUNT", begin, upper(name), end.macro)
                                    : fmt::format("{}_{}", upper(name), row ? "ROW_INPUTS" : "INPUTS");
  if (several) {
    const std::size_t at = real.find("values[i]");
    real.replace(at, 9, fmt::format("values[i - {}]", begin));
  }
  return fmt::format(
      R"(/* {9}, as the input takes it.{0} Saturates, and
 * computes in double precision, so that it rounds every number as the host did. */
static inline void {1}_quantize{10}(const float *values, {2} *input) {{
{3}  for (int32_t i = {11}; i < {12}; ++i) {{
    const float real = {5};
    const double steps = (double)real / (double){4}_{13}_SCALE + 0.5;
    int32_t integer = {6};
    if (steps >= {7}) {{
      integer = {7};
    }} else if (steps > {6}) {{
      integer = (int32_t)steps;
      if ((double)integer > steps) --integer;
    }}
    integer += {4}_{13}_ZERO_POINT;
{8}  }}
}}
)",
      preprocessed, name, element_type(input.grid), constants, upper(name), real, end.grid.lowest_step(),
      end.grid.highest_step(), store(input), which, row ? "_row" : end.suffix, begin, limit, end.macro);
}

std::string outputs_of(const ProgramEnd& end) {
  return end.name.empty() ? "all outputs" : fmt::format("the output '{}'", in_comment(end.name));
}
/// Added to the number of an integer of one of several outputs, to be its number among all.
std::string first_of(const std::string& name, const ProgramEnd& end) {
  return end.suffix.empty() ? "" : fmt::format("{}_{}_FIRST + ", upper(name), end.macro);
}
std::string count_of(const std::string& name, const ProgramEnd& end) {
  return fmt::format("{}_{}{}", upper(name), end.macro, end.suffix.empty() ? "S" : "_COUNT");
}

std::string output_functions(const std::string& name, const ProgramEnd& end) {
  return fmt::format(
      R"(/* The real number that an integer of {3} stands for. */
static inline float {0}_dequantize{4}(int32_t integer) {{
  return {1}_{5}_SCALE * (float)(integer - {1}_{5}_ZERO_POINT);
}}
/* The largest of {3}; of equal ones the first. */
static inline int32_t {0}_argmax{4}(const {2} *output) {{
  int32_t best = 0;
  for (int32_t i = 1; i < {7}; ++i) {{
    if ({0}_output_at(output, {6}i) > {0}_output_at(output, {6}best)) best = i;
  }}
  return best;
}}
)",
      name, upper(name), element_type(end.grid), outputs_of(end), end.suffix, end.macro, first_of(name, end),
      count_of(name, end));
}

/// Parts get the names of the model as far as they are identifiers of their own.
std::vector<ProgramEnd> ends_of(const Buffer& whole, const std::vector<ProgramPart>& parts, const std::string& macro) {
  if (parts.empty()) return {{"", macro, "", {}, 0, whole.elements(), whole.grid}};
  std::vector<ProgramEnd> ends;
  std::set<std::string> taken;
  std::int64_t first = 0;
  for (const ProgramPart& part : parts) {
    const std::string wanted = to_identifier(part.name);
    std::string own = wanted;
    for (int i = 2; !taken.insert(own).second; ++i) own = fmt::format("{}_{}", wanted, i);
    const std::int64_t count = element_count(part.shape);
    ends.push_back({"_" + own, macro + "_" + upper(own), part.name, part.shape, first, count, part.grid});
    first += count;
  }
  return ends;
}

/// exp(-x) as a power of two: bits of the fraction, each a product. The constants are 2^(-2^-k) in units of 2^-31.
std::string softmax_function(const Program& program, const std::string& name, const ProgramEnd& end) {
  const Buffer& output = nth(program.buffers, program.output);
  std::string factors;
  for (int k = 1; k <= 16; ++k) {
    factors += fmt::format("{}u,", std::llround(std::ldexp(std::exp2(-std::ldexp(1.0, -k)), 31)));
  }
  // steps of the output as powers of two in units of 2^-32; beyond 2^14 every step makes nothing of a probability
  const double power = std::min(std::ldexp(1.0, 14), static_cast<double>(end.grid.scale) * std::numbers::log2e);
  return fmt::format(
      R"(/* exp(-difference * {1}_{5}_SCALE) in units of 2^-31, for a difference of two outputs that is not negative. */
static inline uint32_t {0}_decay{6}(int32_t difference) {{
  static const uint32_t factors[] = {{{2}}};
  const uint64_t power = (uint64_t)(uint32_t)difference * {3}u;
  const uint32_t whole = (uint32_t)(power >> 32), fraction = (uint32_t)power >> 16;
  uint32_t value = 0x80000000u;
  if (whole > 31u) return 0;
  for (int32_t k = 0; k < 16; ++k) {{
    if ((fraction >> (15 - k) & 1u) != 0u) value = (uint32_t)(((uint64_t)value * factors[k] + 0x40000000u) >> 31);
  }}
  return value >> whole;
}}
/* The probabilities of {7} in units of 1/32768 (softmax), with integers alone. Each is off by 1 at most. */
static inline void {0}_softmax{6}(const {4} *output, uint16_t *probabilities) {{
  const int32_t largest = {0}_output_at(output, {8}{0}_argmax{6}(output));
  uint64_t sum = 0;
  for (int32_t i = 0; i < {9}; ++i) sum += {0}_decay{6}(largest - {0}_output_at(output, {8}i));
  for (int32_t i = 0; i < {9}; ++i) {{
    const uint64_t share = (uint64_t){0}_decay{6}(largest - {0}_output_at(output, {8}i)) << 15;
    probabilities[i] = (uint16_t)((share + sum / 2u) / sum);
  }}
}}
)",
      name, upper(name), factors, static_cast<std::uint64_t>(std::llround(std::ldexp(power, 32))),
      element_type(output.grid), end.macro, end.suffix, outputs_of(end), first_of(name, end), count_of(name, end));
}

}  // namespace

std::string element_type(const ActivationGrid& grid) {
  if (grid.bits == 16) return grid.is_signed ? "int16_t" : "uint16_t";
  return grid.bits == 8 && grid.is_signed ? "int8_t" : "uint8_t";
}

bool names_outputs(const Program& program) {
  return std::ssize(program.classes) == nth(program.buffers, program.output).elements();
}

std::vector<ProgramEnd> input_ends(const Program& program) {
  return ends_of(nth(program.buffers, program.input), program.input_parts, "INPUT");
}
std::vector<ProgramEnd> output_ends(const Program& program) {
  return ends_of(nth(program.buffers, program.output), program.output_parts, "OUTPUT");
}

std::string value_functions(const Program& program, const std::string& name, InputForm input) {
  std::string text;
  if (input == InputForm::pushed) {
    text += quantize_function(program, name, input_ends(program).front(), true);
  } else {
    for (const ProgramEnd& end : input_ends(program)) text += quantize_function(program, name, end, false);
  }
  text += load_function(nth(program.buffers, program.output), name);
  for (const ProgramEnd& end : output_ends(program))
    text += output_functions(name, end) + softmax_function(program, name, end);
  return text;
}

}  // namespace trimtab
