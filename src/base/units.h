#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trimtab {

/// Bytes from "64KB", "1.5 MB", "49152" or "49152B". K and M are powers of 1024, as flash and RAM are sold.
/// Throws Error (bad input), naming `what`, where the text is not such a number or is negative.
[[nodiscard]] std::int64_t parse_bytes(std::string_view text, std::string_view what);

/// Hertz from "1.8GHz", "600 MHz", "84e6". Throws Error (bad input), naming `what`.
[[nodiscard]] double parse_frequency(std::string_view text, std::string_view what);

/// "48.6 KB", "512 B", "1.20 MB".
[[nodiscard]] std::string format_bytes(std::int64_t bytes);

/// "1.80 GHz".
[[nodiscard]] std::string format_frequency(double hertz);

/// "1 h 02 min", "3 min 05 s", "12.3 s", "8 ms".
[[nodiscard]] std::string format_duration(double seconds);

/// 12345678 as "12,345,678".
[[nodiscard]] std::string format_count(std::int64_t count);

}  // namespace trimtab
