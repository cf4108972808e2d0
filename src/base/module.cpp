#include "base/module.h"

#include <dlfcn.h>

#include <system_error>

#include "base/error.h"

namespace trimtab {

void* find_in_module(const std::filesystem::path& built, const char* function) {
  std::error_code ignored;
  const std::filesystem::path command = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const std::filesystem::path installed = command.parent_path().parent_path() / "lib" / "trimtab" / built.filename();
  const std::filesystem::path& path = std::filesystem::exists(installed, ignored) ? installed : built;
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* address = module != nullptr ? ::dlsym(module, function) : nullptr;
  if (address == nullptr) throw failure("the module {} cannot be loaded: {}", path.string(), ::dlerror());
  return address;
}

}  // namespace trimtab
