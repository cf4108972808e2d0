#include "cli/learn/image_bounds.h"

#include "base/error.h"
#include "base/units.h"

namespace trimtab::cli {
namespace {

std::int64_t memory_bound(const std::string& text, const std::string& option, const std::string& memory,
                          std::int64_t bytes, const Target& target) {
  if (text.empty()) return bytes;
  const std::int64_t bound = parse_bound(text, option);
  if (bound > bytes) {
    throw bad_input("{} is {} bytes; {} has {} bytes of {}, so give at most those or leave the option out", option,
                    bound, target.name, bytes, memory);
  }
  return bound;
}

}  // namespace

std::int64_t parse_bound(const std::string& text, const std::string& option) {
  const std::int64_t bytes = parse_bytes(text, option);
  if (bytes == 0) throw bad_input("{} is a bound of 0, which nothing meets; give bytes such as 64KB", option);
  return bytes;
}

Bounds image_bounds(const Target& target, const std::string& flash, const std::string& ram) {
  Bounds bounds;
  bounds.flash_bytes = memory_bound(flash, "--flash", "flash", target.flash_bytes.value, target);
  bounds.ram_bytes = memory_bound(ram, "--ram", "RAM", target.ram_bytes.value, target);
  return bounds;
}

}  // namespace trimtab::cli
