#pragma once

#include <span>
#include <string>
#include <string_view>

namespace trimtab {

/// A text from outside (a file's name, a cell of a table, a layer's name) as it may go to a terminal: bytes that a
/// terminal would obey, or that are no UTF-8, become \xNN. `lines` lets newlines and tabs through, for texts of our own
/// that have several lines.
[[nodiscard]] std::string printable(std::string_view text, bool lines = false);

/// The arguments as a POSIX shell takes them on one line: those that hold more than plain letters stand in quotes.
[[nodiscard]] std::string shell_text(std::span<const std::string> arguments);

}  // namespace trimtab
