#pragma once

#include <string>

#include "program/program.h"

namespace trimtab {

/// The C type that holds a value's integers: one of them, or, where they have 4 or 2 bits, a byte of them.
[[nodiscard]] std::string element_type(const ActivationGrid& grid);

/// Whether every output has the name of a class.
[[nodiscard]] bool names_outputs(const Program& program);

/// For NAME.h: static inline functions in C99 and C++ between the integers of the program's ends and real numbers. This
/// is the only place that says so in C: real = scale * (integer - zero point).
[[nodiscard]] std::string value_functions(const Program& program, const std::string& name);

}  // namespace trimtab
