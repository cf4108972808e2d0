#include "emit/recipe.h"

namespace trimtab {

Core core_of(const Target& target) {
  switch (target.processor) {
    case Processor::cortex_m0plus:
      return Core::cortex_m0;
    case Processor::cortex_m3:
      return Core::cortex_m3;
    case Processor::cortex_m4:
    case Processor::cortex_m7:
    case Processor::cortex_m33:
      return Core::cortex_m4;
    case Processor::cortex_m55:
      return Core::cortex_m55;
  }
  return Core::generic;
}

BuildRecipe recipe_of(const Target& target, Optimize optimize) {
  BuildRecipe recipe{target.name, core_of(target), {"-mcpu=" + std::string(name_of(target.processor)), "-mthumb"}, {}};
  if (!target.fpu.empty()) recipe.core_flags.push_back("-mfpu=" + target.fpu);
  const bool hard = !target.fpu.empty() || target.processor == Processor::cortex_m55;
  recipe.core_flags.emplace_back(hard ? "-mfloat-abi=hard" : "-mfloat-abi=soft");
  recipe.flags = {"-std=c++17",
                  optimize == Optimize::speed ? "-O2" : "-Os",
                  "-fno-exceptions",
                  "-fno-rtti",
                  "-fno-threadsafe-statics",
                  "-fno-unwind-tables",
                  "-fno-asynchronous-unwind-tables",
                  "-fomit-frame-pointer",  // assembly needs r7
                  "-fno-schedule-insns",   // GCC 12 spills accumulators where it schedules before register allocation
                  "-fbuiltin",             // memcpy becomes loads where a firmware is -ffreestanding, too
                  "-fstrict-aliasing",
                  "-fno-lto",  // which would compile it again, with the firmware's options
                  "-w",        // warnings of generated code are no business of a firmware with -Werror
                  "-ffunction-sections",
                  "-fdata-sections"};
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
    case Core::host:
    case Core::generic:
      return "";
  }
  return "";
}

}  // namespace trimtab
