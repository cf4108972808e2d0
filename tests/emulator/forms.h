#pragma once

// How a reader compiles what is handed over, a function for each form. Each leaves the objects that a firmware links:
// by a build file of the device folder, or by a package as its ecosystem compiles a library, with the include paths,
// the language and the options that come before and after the package's own.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "emit/c_text.h"
#include "emulator/handed_over.h"

namespace trimtab {

using Objects = std::vector<std::filesystem::path>;
using Flags = std::vector<std::string>;

inline Flags joined(Flags first, const Flags& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

inline std::string replaced(std::string text, const std::string& key, const std::string& value) {
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + value.size()))
    text.replace(at, key.size(), value);
  return text;
}

inline bool is_riscv(const Flags& core_flags) {
  return std::ranges::any_of(core_flags, [](const std::string& flag) { return flag.starts_with("-march=rv"); });
}

/// The compiler of a firmware with these options, and its options: Debian's for RISC-V is told where a C library is.
inline std::string compiler_for(const Flags& core_flags) {
  return is_riscv(core_flags) ? "riscv64-unknown-elf-g++" : "arm-none-eabi-g++";
}
inline Flags firmware_flags(Flags core_flags) {
  if (is_riscv(core_flags)) core_flags.emplace_back("--specs=picolibc.specs");
  return core_flags;
}

/// The smallest firmware project: its first goal is the default one, whatever the included file brings. Its own options
/// must not matter: -O0 and frame pointers leave assembly too few registers, and warnings are its errors.
inline std::filesystem::path by_make(const std::filesystem::path& device, const Flags& core_flags,
                                     const std::string& name = "net", const std::string& setting = "") {
  write_file(device / "Makefile", fmt::format("CXX := {4}\nCXXFLAGS := -O0 -flto -fno-omit-frame-pointer -Wall -Wextra "
                                              "-Wconversion -Wsign-conversion -Werror {0}\n{3}\ninclude {1}.mk\n\n"
                                              "firmware: $({2}_OBJECT)\n\tcp $< firmware.o\n",
                                              fmt::join(firmware_flags(core_flags), " "), name, upper(name), setting,
                                              compiler_for(core_flags)));
  execute({"make", "-s", "-B", "-C", device.string()});
  return device / "firmware.o";
}

/// A project of another compiler, with options and functions of its own, in the folder `project`; builds it there.
inline void build_by_cmake(const std::filesystem::path& project, const std::string& text) {
  make_directory(project);
  write_file(project / "CMakeLists.txt", text);
  execute({"cmake", "-S", project.string(), "-B", (project / "build").string()});
  execute({"cmake", "--build", (project / "build").string()});
}

constexpr const char* cross_project =
    "cmake_minimum_required(VERSION 3.20)\nset(CMAKE_SYSTEM_NAME Generic)\n"
    "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\n";

/// A project that is a release, of a later language, and optimizes while it links.
inline std::filesystem::path by_cmake(const std::filesystem::path& device, const Flags& core_flags,
                                      const std::string& setting = "") {
  build_by_cmake(
      device / "project",
      fmt::format("{}set(CMAKE_CXX_COMPILER {})\nset(CMAKE_BUILD_TYPE Release)\nset(CMAKE_CXX_STANDARD "
                  "20)\nproject(firmware CXX)\n"
                  "set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)\nadd_compile_options({})\n{}\n"
                  "add_subdirectory(.. net)\n",
                  cross_project, compiler_for(core_flags), fmt::join(firmware_flags(core_flags), " "), setting));
  return device / "project" / "build" / "net" / "libnet.a";
}

/// Every C++ file of a package's folder of sources, which is the include path.
inline Objects compile_sources(const std::filesystem::path& folder, const Flags& flags) {
  Objects objects;
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".cpp") continue;
    objects.emplace_back(entry.path().string() + ".o");
    execute(joined({compiler_for(flags)},
                   joined(firmware_flags(flags),
                          {"-I" + folder.string(), "-c", entry.path().string(), "-o", objects.back().string()})));
  }
  return objects;
}

/// The archive that Arduino links for a board's options, and nothing where it compiles src/: `precompiled=full` of the
/// library specification, with the folder that arduino-cli derives from the options.
inline std::filesystem::path arduino_archive(const std::filesystem::path& library, const Flags& flags) {
  const auto value_of = [&](const std::string& option) {
    const auto found = std::ranges::find_if(flags, [&](const std::string& flag) { return flag.starts_with(option); });
    return found == flags.end() ? std::string() : found->substr(option.size());
  };
  std::filesystem::path folder = library / "src" / value_of("-mcpu=");
  std::string floating = value_of("-mfpu=");
  if (const std::string abi = value_of("-mfloat-abi="); !abi.empty()) floating += (floating.empty() ? "" : "-") + abi;
  if (!floating.empty()) folder /= floating;
  return std::filesystem::exists(folder) ? folder / "libnet.a" : std::filesystem::path();
}

inline Objects by_arduino(const HandedOver& handed) {
  return {arduino_archive(handed.package("arduino"), handed.core_flags())};
}

/// What Arduino does for a board that has no archive: it compiles src/ with the options of a core with C++17.
inline Objects by_arduino_sources(const HandedOver& handed) {
  return compile_sources(
      handed.package("arduino") / "src",
      joined(handed.core_flags(), {"-Os", "-w", "-std=gnu++17", "-ffunction-sections", "-fdata-sections",
                                   "-fno-threadsafe-statics", "-fno-rtti", "-fno-exceptions", "-fno-use-cxa-atexit",
                                   "-nostdlib", "--param", "max-inline-insns-single=500", "-DARDUINO=10819"}));
}

/// The project's options without those that the library takes away, then the library's own.
inline Objects by_platformio(const HandedOver& handed) {
  const std::filesystem::path library = handed.package("platformio");
  const nlohmann::json build = nlohmann::json::parse(read_text(library / "library.json")).at("build");
  Flags flags = joined(handed.core_flags(), {"-Os", "-std=gnu++14", "-Wall", "-g"});
  const auto unflags = build.at("unflags").get<Flags>();
  std::erase_if(flags, [&](const std::string& flag) { return std::ranges::find(unflags, flag) != unflags.end(); });
  return compile_sources(library / build.at("srcDir").get<std::string>(),
                         joined(flags, build.at("flags").get<Flags>()));
}

/// Zephyr's functions, as far as a library needs them (cmake/modules/extensions.cmake).
constexpr std::string_view zephyr_functions = R"(
project(app CXX)
function(zephyr_library_named name)
  add_library(${name} STATIC)
  set(ZEPHYR_CURRENT_LIBRARY ${name} PARENT_SCOPE)
  target_compile_options(${name} PRIVATE {flags})
endfunction()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories)
  include_directories(${ARGN})
  target_include_directories(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
set(CONFIG_TRIMTAB_NET y)
add_subdirectory({module}/zephyr net)
)";

inline Objects by_zephyr(const HandedOver& handed) {
  const std::string flags = fmt::format("{} -Os -g -fno-strict-aliasing -fno-common -ffreestanding -Wall -fno-pic",
                                        fmt::join(firmware_flags(handed.core_flags()), " "));
  const std::filesystem::path project = handed.path("zephyr-project");
  const std::string compiler = fmt::format("set(CMAKE_CXX_COMPILER {})\n", compiler_for(handed.core_flags()));
  build_by_cmake(project, cross_project + compiler +
                              replaced(replaced(std::string(zephyr_functions), "{flags}", flags), "{module}",
                                       handed.package("zephyr").string()));
  return {project / "build" / "net" / "libtrimtab_net.a"};
}

/// What the description says: its source files with the options that its component names, behind the project's.
inline Objects by_cmsis_pack(const HandedOver& handed) {
  const std::filesystem::path pack = handed.package("cmsis-pack");
  const std::string text = read_text(pack / "Trimtab.net.pdsc");
  static const std::regex sentence("Compile net.cpp with ([^<]+)<");
  static const std::regex word("[^ ]+");
  std::smatch options;
  EXPECT_TRUE(std::regex_search(text, options, sentence));
  Flags flags = joined(handed.core_flags(), {"-O1", "-g"});
  const std::string words = options[1];
  for (std::sregex_iterator match(words.begin(), words.end(), word), end; match != end; ++match)
    flags.push_back(match->str());
  return compile_sources(pack / "src", flags);
}

/// ESP-IDF's function, and a project of the instruction set of an ESP32-C3: RV32IMC. Its compiler is clang, which
/// ESP-IDF knows too. There is no C library, but for what the example and the network need.
constexpr std::string_view esp_idf_project = R"(cmake_minimum_required(VERSION 3.16)
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER clang)
set(CMAKE_CXX_COMPILER clang++)
project(app C CXX)
add_compile_options(--target=riscv32-esp-elf -march=rv32imc -mabi=ilp32 -isystem ${CMAKE_CURRENT_LIST_DIR}/libc)
set(COMPONENT_LIB __idf_net)
macro(idf_component_register)
  cmake_parse_arguments(component "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
  list(TRANSFORM component_SRCS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
  list(TRANSFORM component_INCLUDE_DIRS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
  add_library(${COMPONENT_LIB} STATIC ${component_SRCS})
  target_include_directories(${COMPONENT_LIB} PUBLIC ${component_INCLUDE_DIRS})
  target_compile_options(${COMPONENT_LIB} PRIVATE -Og -ffunction-sections -fdata-sections -Wall -Werror=all -Wextra
                         $<$<COMPILE_LANGUAGE:CXX>:-std=gnu++2b> -fno-exceptions -fno-rtti)
endmacro()
add_subdirectory({component} net)
add_executable(app chip.c {component}/examples/selftest/main/main.c)
target_compile_options(app PRIVATE -ffreestanding -Wall -Wextra -Werror)
target_link_libraries(app PRIVATE ${COMPONENT_LIB})
target_link_options(app PRIVATE --target=riscv32-esp-elf -march=rv32imc -mabi=ilp32 -nostdlib -fuse-ld=lld)
)";

/// What a chip's C library and start-up code are to the example. A process of the emulator ends with the number that
/// the example prints.
constexpr std::string_view esp_idf_chip = R"(#include <stdarg.h>
#include <stdio.h>
#include <string.h>
void app_main(void);
void _start(void);
void *memcpy(void *to, const void *from, size_t count) {
  for (size_t i = 0; i < count; ++i) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}
void *memset(void *to, int byte, size_t count) {
  for (size_t i = 0; i < count; ++i) ((char *)to)[i] = (char)byte;
  return to;
}
static int printed = -1;
int printf(const char *format, ...) {
  va_list numbers;
  va_start(numbers, format);
  printed = strcmp(format, "bytes that differ: %d\n") == 0 ? va_arg(numbers, int) : -1;
  va_end(numbers);
  return 0;
}
int strcmp(const char *a, const char *b) {
  for (; *a != 0 && *a == *b; ++a) ++b;
  return *a - *b;
}
void _start(void) {
  app_main();
  register int code __asm__("a0") = printed;
  register int exit __asm__("a7") = 93;
  __asm__ volatile("ecall" : : "r"(code), "r"(exit));
}
)";

/// Builds the component with its example and runs it: the number of bytes that differ.
inline int differing_on_an_esp32_c3(const HandedOver& handed) {
  const std::filesystem::path project = handed.path("esp-idf-project");
  make_directory(project / "libc");
  write_file(project / "libc" / "stdio.h", "int printf(const char *format, ...);\n");
  write_file(project / "libc" / "string.h",
             "#pragma once\n#include <stddef.h>\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
             "void *memcpy(void *, const void *, size_t);\nvoid *memset(void *, int, size_t);\n"
             "int strcmp(const char *, const char *);\n#ifdef __cplusplus\n}\n#endif\n");
  write_file(project / "chip.c", esp_idf_chip);
  build_by_cmake(project, replaced(std::string(esp_idf_project), "{component}", handed.package("esp-idf").string()));
  return run_process({"qemu-riscv32", (project / "build" / "app").string()}, "install the package qemu-user").exit_code;
}

}  // namespace trimtab
