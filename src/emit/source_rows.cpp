#include "emit/source_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/index.h"
#include "emit/c_text.h"
#include "emit/value_functions.h"

namespace trimtab {
namespace {

const Buffer& input_of(const Program& program) { return nth(program.buffers, program.input); }

std::int64_t row_bytes(const Program& program) {
  const runtime::Image image = image_of(program, program.input);
  return std::int64_t{image.width} * image.pixel_stride;
}

}  // namespace

std::string row_documentation(const std::string& name) {
  return fmt::format(
      R"( *
 * ROWS
 * The input is pushed row by row, as a camera or a front end delivers it. {0}_next_row() tells where the next row
 * is to be written: {1}_INPUT_ROW_BYTES, width x channels. {0}_push_row() says that the row is there and runs all that
 * can run now. It returns the number of rows that are still missing; 0: the output is ready. The row after the last one
 * is the first of the next frame. Its place may be the output's, so read the output before you write that row.
 * The place of a row is free only from the end of the push before until the row is pushed. A camera that cannot wait
 * for a push needs a line buffer of its own. {1}_LONGEST_PUSH_INSTRUCTIONS tells the longest push, and
 * {1}_LAST_PUSH_INSTRUCTIONS that of the last row: from the last row to the output.
 * {0}_new_frame() drops the rows of an unfinished frame: call it where the camera starts anew.
 * {0}_run_sample() pushes all rows of a sample that lies elsewhere, one row behind the other.
)",
      name, upper(name));
}

std::string row_constants(const Program& program, const std::string& name,
                          const std::optional<PushInstructions>& pushes) {
  std::string text = fmt::format("#define {0}_INPUT_ROW_BYTES {1}\n#define {0}_ROW_INPUTS {2}\n", upper(name),
                                 row_bytes(program), input_of(program).width * input_of(program).channels);
  if (!pushes.has_value()) return text;
  return text + fmt::format("#define {0}_LONGEST_PUSH_INSTRUCTIONS {1}\n#define {0}_LAST_PUSH_INSTRUCTIONS {2}\n",
                            upper(name), pushes->longest, pushes->last);
}

std::string row_declarations(const Program& program, const std::string& name) {
  return fmt::format(
      R"({input} *{name}_next_row(void);
int {name}_push_row(void);
void {name}_new_frame(void);
void {name}_run_sample(const {input} *sample);
const {output} *{name}_output(void);

/* Where {name}.cpp is compiled with {NAME}_CALLER_ARENA. A frame says how many rows were pushed, and the operating point
 * that it began with. It belongs to an arena. All zero: a new frame. */
struct {name}_frame {{
  int32_t rows, point;
}};
{input} *{name}_next_row_in(void *arena, const struct {name}_frame *frame);
int {name}_push_row_in(void *arena, struct {name}_frame *frame);
void {name}_run_sample_in(void *arena, const {input} *sample);
const {output} *{name}_output_in(const void *arena);
)",
      fmt::arg("input", element_type(input_of(program).grid)),
      fmt::arg("output", element_type(nth(program.buffers, program.output).grid)), fmt::arg("name", name),
      fmt::arg("NAME", upper(name)));
}

std::string row_state(const Program& program, const Schedule& schedule, const std::string& name) {
  const RowPlaces& places = nth(schedule.places, program.input);
  const bool points = program.points.size() > 1;
  const char* const type = schedule.operations.size() > UINT16_MAX ? "uint32_t" : "uint16_t";
  return fmt::format(
      R"(
// By row of the input: how many operations have run when its push ends.
TRIMTAB_WEIGHTS alignas(8) const {type} pushes[{NAME}_INPUT_HEIGHT] = {{{pushes}}};

inline uint8_t *place_of_next_row(uint8_t *arena, const {name}_frame &frame) {{
  return rt::OutputRows{{arena + {offset}, {table}, {NAME}_INPUT_ROW_BYTES}}[frame.rows];
}}

int push_row(uint8_t *arena, {name}_frame &frame) {{
  const int32_t row = frame.rows;
{point}  for (uint32_t next = row > 0 ? pushes[row - 1] : 0; next < pushes[row]; ++next) {{
    run_operation(arena, operations[next]{argument});
  }}
  frame.rows = row + 1 < {NAME}_INPUT_HEIGHT ? row + 1 : 0;
  return {NAME}_INPUT_HEIGHT - 1 - row;
}}

void run_sample(uint8_t *arena, {name}_frame &frame, const uint8_t *sample) {{
  do {{
    memcpy(place_of_next_row(arena, frame), sample, {NAME}_INPUT_ROW_BYTES);
    sample += {NAME}_INPUT_ROW_BYTES;
  }} while (push_row(arena, frame) > 0);
}}

#ifndef {NAME}_CALLER_ARENA
{name}_frame static_frame;
#endif
)",
      fmt::arg("type", type), fmt::arg("name", name), fmt::arg("NAME", upper(name)),
      fmt::arg("pushes", fmt::join(schedule.pushes, ",")), fmt::arg("offset", places.offset),
      fmt::arg("table", places.table < 0 ? std::string("nullptr") : fmt::format("rows_of_{}", places.table)),
      fmt::arg("point", points ? "  if (row == 0) frame.point = wanted_point;\n" : ""),
      fmt::arg("argument", points ? ", frame.point" : ""));
}

std::string row_functions(const Program& program, const Schedule& schedule, const std::string& name) {
  return fmt::format(
      R"(#ifdef {NAME}_CALLER_ARENA
{input} *{name}_next_row_in(void *memory, const struct {name}_frame *frame) {{
  return reinterpret_cast<{input} *>(place_of_next_row(static_cast<uint8_t *>(memory), *frame));
}}

int {name}_push_row_in(void *memory, struct {name}_frame *frame) {{
  return push_row(static_cast<uint8_t *>(memory), *frame);
}}

void {name}_run_sample_in(void *memory, const {input} *sample) {{
  {name}_frame frame = {{0, 0}};
  run_sample(static_cast<uint8_t *>(memory), frame, reinterpret_cast<const uint8_t *>(sample));
}}

const {output} *{name}_output_in(const void *memory) {{
  return reinterpret_cast<const {output} *>(static_cast<const uint8_t *>(memory) + {to});
}}
#else
{input} *{name}_next_row(void) {{ return reinterpret_cast<{input} *>(place_of_next_row(static_arena, static_frame)); }}

int {name}_push_row(void) {{ return push_row(static_arena, static_frame); }}

void {name}_new_frame(void) {{ static_frame.rows = 0; }}

void {name}_run_sample(const {input} *sample) {{
  static_frame.rows = 0;
  run_sample(static_arena, static_frame, reinterpret_cast<const uint8_t *>(sample));
}}

const {output} *{name}_output(void) {{ return reinterpret_cast<const {output} *>(static_arena + {to}); }}
#endif

)",
      fmt::arg("name", name), fmt::arg("NAME", upper(name)), fmt::arg("input", element_type(input_of(program).grid)),
      fmt::arg("output", element_type(nth(program.buffers, program.output).grid)),
      fmt::arg("to", nth(schedule.places, program.output).offset));
}

}  // namespace trimtab
