#include "emit/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "emit/machine.h"

namespace trimtab {

Core core_of(const Target& target) { return traits_of(target.processor).core; }

BuildRecipe recipe_of(const Target& target, Optimize optimize) {
  const ProcessorTraits& traits = traits_of(target.processor);
  BuildRecipe recipe{target.name, traits.core, traits.flags, {}};
  recipe.flags = {"-std=c++17",
                  optimize == Optimize::speed ? "-O2" : "-Os",
                  "-fno-exceptions",
                  "-fno-rtti",
                  "-fno-threadsafe-statics",
                  "-fno-unwind-tables",
                  "-fno-asynchronous-unwind-tables",
                  "-fomit-frame-pointer"};  // assembly needs r7
  for (const std::string_view flag : traits.toolchain->flags) {
    if (!flag.empty()) recipe.flags.emplace_back(flag);
  }
  recipe.flags.insert(recipe.flags.end(),
                      {"-fbuiltin",  // memcpy becomes loads where a firmware is -ffreestanding, too
                       "-fstrict-aliasing",
                       "-fno-lto",  // which would compile it again, with the firmware's options
                       "-w",        // warnings of generated code are no business of a firmware with -Werror
                       "-ffunction-sections", "-fdata-sections"});
  if (traits.toolchain->is_linux) return recipe;
  // A hot loop that fills a small cache of flash lines must not lie across one line more, wherever the linker puts it.
  if (optimize == Optimize::speed && target.flash_cache)
    recipe.flags.push_back(fmt::format("-falign-functions={}", target.flash_cache->line_bytes));
  if (!traits.toolchain->has_float_abi) return recipe;
  if (!target.fpu.empty()) recipe.core_flags.push_back("-mfpu=" + target.fpu);
  const bool hard = !target.fpu.empty() || traits.core == Core::cortex_m55;
  recipe.core_flags.emplace_back(hard ? "-mfloat-abi=hard" : "-mfloat-abi=soft");
  return recipe;
}

std::string wrong_core_condition(Core core) {
  switch (core) {
    case Core::cortex_m0:
      return "__ARM_ARCH_ISA_THUMB != 1";
    case Core::cortex_m3:
      return "!defined(__ARM_ARCH_7M__)";
    case Core::cortex_m4:
      return "!defined(__ARM_FEATURE_DSP) || defined(__ARM_FEATURE_MVE)";
    case Core::cortex_m55:
      return "!defined(__ARM_FEATURE_MVE)";
    case Core::cortex_a15:
      return "!defined(__ARM_NEON)";
    case Core::cortex_a53:
      return "!defined(__aarch64__)";
    case Core::cortex_a76:
      return "!defined(__aarch64__) || !defined(__ARM_FEATURE_DOTPROD)";
    case Core::rv32imc:
      return "!defined(__riscv_mul) || __riscv_xlen != 32";
    case Core::host:
    case Core::generic:
      return "";
  }
  return "";
}

bool has_portable_form(std::string_view header) {
  constexpr std::array<std::string_view, 3> vectors{"_mve.h", "_neon.h", "_dot.h"};
  return std::ranges::none_of(vectors, [&](std::string_view end) { return header.ends_with(end); });
}

}  // namespace trimtab
