// The only file that compiles the parser of toml++. Some texts break its assertions ("[,"). A release build would go on
// behind a broken one, and a debug build would end. Here, a broken assertion is thrown in every build, so that the text
// is refused. toml++ drops its assertions under NDEBUG, so this file is compiled without.
#undef NDEBUG
#include <stdexcept>

namespace {
[[noreturn]] void broken_assertion(const char* condition) { throw std::logic_error(condition); }
}  // namespace

#define TOML_ASSERT(condition) ((condition) ? void() : broken_assertion(#condition))
#define TOML_IMPLEMENTATION
#include "base/toml_file.h"

#include "base/error.h"
#include "base/file.h"

namespace trimtab {

toml::table parse_toml(std::string_view text, const std::string& source) {
  try {
    return toml::parse(text, source);
  } catch (const toml::parse_error& error) {
    throw bad_input("{}, line {}, is not TOML: {}", source, error.source().begin.line, error.description());
  } catch (const std::logic_error&) {
    throw bad_input("{} is not TOML", source);
  }
}

toml::table read_toml(const std::filesystem::path& path) { return parse_toml(read_text(path, 1 << 20), path.string()); }

}  // namespace trimtab
