#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

/// A text from outside (a file's name, a cell of a table, a layer's name) as it may go to a terminal: bytes that a
/// terminal would obey, or that are no UTF-8, become \xNN. `lines` lets newlines and tabs through, for texts of our own
/// that have several lines.
[[nodiscard]] std::string printable(std::string_view text, bool lines = false);

/// The text as a field of CSV (RFC 4180): in quotes where it needs them, those within doubled. A line's end becomes a
/// blank, since many readers take a line for a row.
[[nodiscard]] std::string csv_field(std::string_view text);

/// The fields of a line of CSV, without the quotes.
[[nodiscard]] std::vector<std::string> csv_fields(std::string_view line);

/// The arguments as a POSIX shell takes them on one line: those that hold more than plain letters stand in quotes.
[[nodiscard]] std::string shell_text(std::span<const std::string> arguments);

}  // namespace trimtab
