#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// The input, the output, or one of several of them, as names in C.
struct ProgramEnd {
  std::string suffix;      ///< of its functions: "" or "_boxes"
  std::string macro;       ///< of its constants: "INPUT", "OUTPUT_BOXES"
  std::string name;        ///< in the model; empty: the only one
  Shape shape;             ///< of several: in this order, channels first
  std::int64_t first = 0;  ///< of its integers in the input or output
  std::int64_t count = 0;
  ActivationGrid grid;
};
[[nodiscard]] std::vector<ProgramEnd> input_ends(const Program& program);
[[nodiscard]] std::vector<ProgramEnd> output_ends(const Program& program);

/// The C type that holds a value's integers: one of them, or, where they have 4 or 2 bits, a byte of them.
[[nodiscard]] std::string element_type(const ActivationGrid& grid);

/// Whether every output has the name of a class.
[[nodiscard]] bool names_outputs(const Program& program);

/// For NAME.h: static inline functions in C99 and C++ between the integers of the program's ends and real numbers. This
/// is the only place that says so in C: real = scale * (integer - zero point). Rows that are pushed are made of real
/// numbers one by one.
[[nodiscard]] std::string value_functions(const Program& program, const std::string& name,
                                          InputForm input = InputForm::whole);

}  // namespace trimtab
