#pragma once

#include <string>

namespace trimtab {

/// Turns any text, such as the name in a model file, into a C identifier in lower case of at most 40 characters: a run
/// of other characters becomes one underscore. Where nothing is left, it is "net".
[[nodiscard]] std::string to_identifier(const std::string& text);

/// Throws Error (bad input) where the name cannot be the prefix of a program's functions: where it is no C identifier
/// of at most 40 characters, begins with an underscore, or is a word of CMake's.
void check_identifier(const std::string& name, const std::string& option);

/// The text in upper case, as macros are named.
[[nodiscard]] std::string upper(std::string text);

/// Any text, such as a name out of a model file, as it may stand in a comment of C.
[[nodiscard]] std::string in_comment(std::string text);

/// Any text as a C string literal.
[[nodiscard]] std::string string_literal(const std::string& text);

/// A number as a C literal of type float.
[[nodiscard]] std::string float_literal(float number);

}  // namespace trimtab
