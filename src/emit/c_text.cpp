#include "emit/c_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "base/error.h"

namespace trimtab {
namespace {

constexpr std::size_t longest_name = 40;

/// Targets that CMake makes itself: a library of that name is an error. And headers of the C library: NAME.h would take
/// their place, since its folder is searched first.
constexpr std::array<std::string_view, 10> reserved = {"all",     "clean",          "edit_cache",    "help", "install",
                                                       "package", "package_source", "rebuild_cache", "test", "trimtab"};
constexpr std::array<std::string_view, 29> headers = {
    "assert", "complex",     "ctype",  "errno",    "fenv",    "float",     "inttypes", "iso646", "limits", "locale",
    "math",   "setjmp",      "signal", "stdalign", "stdarg",  "stdatomic", "stdbool",  "stddef", "stdint", "stdio",
    "stdlib", "stdnoreturn", "string", "tgmath",   "threads", "time",      "uchar",    "wchar",  "wctype"};
/// Files of OUT/device have these names before their dots.
constexpr std::array<std::string_view, 3> own_files = {"classify", "firmware", "main"};

bool is_reserved(const std::string& name) { return std::ranges::find(reserved, name) != reserved.end(); }
/// Whether one of the files is called so, whatever the case: some file systems do not tell letters apart.
bool is_file(std::string name, std::span<const std::string_view> files) {
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return std::ranges::find(files, name) != files.end();
}

// Of ASCII, whatever the locale.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string to_identifier(const std::string& text) {
  std::string name;
  for (const char c : text) {
    if (is_letter(c) || is_digit(c)) {
      name += is_letter(c) ? static_cast<char>(c | 0x20) : c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  if (!name.empty() && is_digit(name[0])) name.insert(0, "net_");
  name.resize(std::min(name.size(), longest_name));
  while (!name.empty() && name.back() == '_') name.pop_back();
  if (name.empty()) return "net";
  return is_reserved(name) || is_file(name, headers) || is_file(name, own_files) ? "net_" + name : name;
}

void check_identifier(const std::string& name, const std::string& option) {
  const bool valid = !name.empty() && name.size() <= longest_name && is_letter(name[0]) &&
                     std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  if (!valid) {
    throw bad_input(
        "{} is '{}'; it becomes the prefix of C functions, so give a letter followed by letters, digits and "
        "underscores, {} characters at most",
        option, name, longest_name);
  }
  if (is_reserved(name)) throw bad_input("{} is '{}', which CMake keeps for itself; give another name", option, name);
  if (is_file(name, headers))
    throw bad_input("{0} is '{1}', and {1}.h is a header of C; give another name", option, name);
  if (is_file(name, own_files))
    throw bad_input("{} is '{}', as a file beside the network's is called; give another name", option, name);
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c; });
  return text;
}

std::string in_comment(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '*' || c == '\\' || c == '?'; }, '_');
  return text;
}

std::string string_literal(const std::string& text) {
  std::string literal = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\' || c == '?') {
      literal += fmt::format("\\{}", static_cast<char>(c));
    } else if (c < 0x20 || c >= 0x7f) {
      literal += fmt::format("\\{:03o}", c);  // three digits end it, whatever follows
    } else {
      literal += static_cast<char>(c);
    }
  }
  return literal + "\"";
}

std::string float_literal(float number) {
  std::string text = fmt::format("{:.9g}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

}  // namespace trimtab
