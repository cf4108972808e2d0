#include "emit/value_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

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

std::string quantize_function(const Program& program, const std::string& name) {
  const Buffer& input = nth(program.buffers, program.input);
  std::string constants;
  std::string real = "values[i]";
  std::string preprocessed;
  if (!program.preprocessing.mean.empty() || !program.preprocessing.deviation.empty()) {
    preprocessed = " They are raw features: mean and deviation are\n * taken care of.";
    constants = fmt::format("  static const float mean[] = {{{}}};\n  static const float deviation[] = {{{}}};\n",
                            list(program, input.channels, true), list(program, input.channels, false));
    real = fmt::format("(values[i] - mean[i % {0}]) / deviation[i % {0}]", input.channels);
  }
  return fmt::format(
      R"(/* One sample of real numbers, height x width x channels, as the input takes it.{0} Saturates, and
 * computes in double precision, so that it rounds every number as the host did. */
static inline void {1}_quantize(const float *values, {2} *input) {{
{3}  for (int32_t i = 0; i < {4}_INPUTS; ++i) {{
    const float real = {5};
    const double steps = (double)real / (double){4}_INPUT_SCALE + 0.5;
    int32_t integer = {6};
    if (steps >= {7}) {{
      integer = {7};
    }} else if (steps > {6}) {{
      integer = (int32_t)steps;
      if ((double)integer > steps) --integer;
    }}
    integer += {4}_INPUT_ZERO_POINT;
{8}  }}
}}
)",
      preprocessed, name, element_type(input.grid), constants, upper(name), real, input.grid.lowest_step(),
      input.grid.highest_step(), store(input));
}

/// exp(-x) as a power of two: bits of the fraction, each a product. The constants are 2^(-2^-k) in units of 2^-31.
std::string softmax_function(const Program& program, const std::string& name) {
  const Buffer& output = nth(program.buffers, program.output);
  std::string factors;
  for (int k = 1; k <= 16; ++k) {
    factors += fmt::format("{}u,", std::llround(std::ldexp(std::exp2(-std::ldexp(1.0, -k)), 31)));
  }
  // steps of the output as powers of two in units of 2^-32; beyond 2^14 every step makes nothing of a probability
  const double power = std::min(std::ldexp(1.0, 14), static_cast<double>(output.grid.scale) * std::numbers::log2e);
  return fmt::format(
      R"(/* exp(-difference * {1}_OUTPUT_SCALE) in units of 2^-31, for a difference of two outputs that is not negative. */
static inline uint32_t {0}_decay(int32_t difference) {{
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
/* The probabilities of all outputs in units of 1/32768 (softmax), with integers alone. Each is off by 1 at most. */
static inline void {0}_softmax(const {4} *output, uint16_t *probabilities) {{
  const int32_t largest = {0}_output_at(output, {0}_argmax(output));
  uint64_t sum = 0;
  for (int32_t i = 0; i < {1}_OUTPUTS; ++i) sum += {0}_decay(largest - {0}_output_at(output, i));
  for (int32_t i = 0; i < {1}_OUTPUTS; ++i) {{
    const uint64_t share = (uint64_t){0}_decay(largest - {0}_output_at(output, i)) << 15;
    probabilities[i] = (uint16_t)((share + sum / 2u) / sum);
  }}
}}
)",
      name, upper(name), factors, static_cast<std::uint64_t>(std::llround(std::ldexp(power, 32))),
      element_type(output.grid));
}

}  // namespace

std::string element_type(const ActivationGrid& grid) {
  if (grid.bits == 16) return grid.is_signed ? "int16_t" : "uint16_t";
  return grid.bits == 8 && grid.is_signed ? "int8_t" : "uint8_t";
}

bool names_outputs(const Program& program) {
  return std::ssize(program.classes) == nth(program.buffers, program.output).elements();
}

std::string value_functions(const Program& program, const std::string& name) {
  const Buffer& output = nth(program.buffers, program.output);
  std::string text = quantize_function(program, name);
  text += load_function(output, name);
  text += fmt::format(
      R"(/* The real number that an integer of the output stands for. */
static inline float {0}_dequantize(int32_t integer) {{
  return {1}_OUTPUT_SCALE * (float)(integer - {1}_OUTPUT_ZERO_POINT);
}}
/* The largest output; of equal ones the first. */
static inline int32_t {0}_argmax(const {2} *output) {{
  int32_t best = 0;
  for (int32_t i = 1; i < {1}_OUTPUTS; ++i) {{
    if ({0}_output_at(output, i) > {0}_output_at(output, best)) best = i;
  }}
  return best;
}}
)",
      name, upper(name), element_type(output.grid));
  return text + softmax_function(program, name);
}

}  // namespace trimtab
