#include "base/module.h"

#include <dlfcn.h>

#include "base/error.h"
#include "base/installation.h"

namespace trimtab {

void* find_in_module(const std::filesystem::path& built, const char* function) {
  const std::filesystem::path path = installed_or_built(built);
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* address = module != nullptr ? ::dlsym(module, function) : nullptr;
  if (address == nullptr) throw failure("the module {} cannot be loaded: {}", path.string(), ::dlerror());
  return address;
}

}  // namespace trimtab
