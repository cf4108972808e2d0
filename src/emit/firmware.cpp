#include "emit/firmware.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <system_error>

#include "base/error.h"
#include "base/process.h"
#include "base/units.h"
#include "emit/recipe.h"
#include "target/share.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr const char* compiler = "arm-none-eabi-g++";
constexpr const char* compiler_hint = "install the packages gcc-arm-none-eabi and libnewlib-arm-none-eabi";

/// "mps2-an386" as MPS2_AN386.
std::string macro_of(std::string board) {
  std::transform(board.begin(), board.end(), board.begin(), [](unsigned char character) {
    return character == '-' ? '_' : static_cast<char>(std::toupper(character));
  });
  return board;
}

/// The first line that says error, or all of a short text.
std::string first_complaint(const std::string& errors) {
  const std::size_t error = errors.find("rror: ");
  if (error == std::string::npos) return errors.substr(0, 300);
  const std::size_t begin = errors.rfind('\n', error) + 1;  // npos + 1 is 0
  return errors.substr(begin, std::min<std::size_t>(errors.find('\n', error) - begin, 300));
}

/// Throws the linker's complaint about a region that is too small as an Error, or else the linker's own words.
[[noreturn]] void explain(const std::string& errors, const Target& target) {
  static const std::regex overflow(R"(region [`'](FLASH|RAM)' overflowed by ([0-9]+) bytes)");
  std::string missing;
  for (std::sregex_iterator match(errors.begin(), errors.end(), overflow), end; match != end; ++match) {
    const bool flash = (*match)[1] == "FLASH";
    const std::string part = fmt::format("{} bytes of {} beyond the {}", (*match)[2].str(), flash ? "flash" : "RAM",
                                         format_bytes(flash ? target.flash_bytes.value : target.ram_bytes.value));
    if (missing.find(part) == std::string::npos) missing += (missing.empty() ? "" : " and ") + part;
  }
  if (!missing.empty()) throw bound_not_met("the image needs {} that {} has", missing, target.name);
  throw failure("{} cannot build the image for {}: {}", compiler, target.name, first_complaint(errors));
}

}  // namespace

Target with_memory_of_board(Target target) {
  // The MPS2 boards have 4 MB of code memory and 4 MB of SRAM; AN547 has tightly coupled memories of 512 KB (see the
  // .ld files).
  const std::int64_t bytes = target.emulated_board == "mps3-an547" ? std::int64_t{512} << 10 : std::int64_t{4} << 20;
  target.flash_bytes.value = std::max(target.flash_bytes.value, bytes);
  target.ram_bytes.value = std::max(target.ram_bytes.value, bytes);
  return target;
}

std::optional<Target> small_board(const Target& target) {
  if (target.processor != Processor::cortex_m0plus) return std::nullopt;
  Target board = target;
  board.emulated_board = "microbit";
  board.flash_bytes.value = std::int64_t{256} << 10;  // nRF51822, as QEMU's board has it
  board.ram_bytes.value = std::int64_t{16} << 10;
  return board;
}

BuildResult build_firmware(const FirmwareSources& sources, const Target& target, Optimize optimize,
                           const fs::path& elf) {
  const fs::path firmware = firmware_directory();
  const fs::path script = firmware / (target.emulated_board + ".ld");
  if (!fs::exists(script)) {
    throw bad_input("the emulated board \"{}\" of target {} is not supported; see {}", target.emulated_board,
                    target.name, firmware.string());
  }
  std::vector<std::string> command{compiler};
  const auto add = [&](const std::vector<std::string>& more) {
    command.insert(command.end(), more.begin(), more.end());
  };
  const BuildRecipe recipe = recipe_of(target, optimize);
  add(recipe.core_flags);
  add(recipe.flags);
  // first the sources' own copies of the runtime's headers: #pragma once does not see that they are the same
  for (const fs::path& directory : sources.include_directories) command.push_back("-I" + directory.string());
  add({"-I" + runtime_directory().string(), "-I" + firmware.string(),
       "-DTRIMTAB_BOARD_" + macro_of(target.emulated_board)});
  for (const std::string& definition : sources.definitions) command.push_back("-D" + definition);
  command.push_back((firmware / "startup.cpp").string());
  if (!sources.program_name.empty()) {
    add({"-DTRIMTAB_NAME=" + sources.program_name, fmt::format("-DTRIMTAB_POINTS={}", sources.points),
         (firmware / "harness.cpp").string()});
  }
  for (const fs::path& source : sources.sources) command.push_back(source.string());
  add({"-nostartfiles", "-Wl,--gc-sections", "-L" + firmware.string(), "-T" + script.string(),
       fmt::format("-Wl,--defsym=trimtab_flash_bytes={}", target.flash_bytes.value),
       fmt::format("-Wl,--defsym=trimtab_ram_bytes={}", target.ram_bytes.value),
       "-Wl,--defsym=trimtab_stack_reserve=512", "-o", elf.string()});
  const ProcessResult result = run_process(command, compiler_hint);
  if (result.timed_out) throw failure("{} did not end within ten minutes", compiler);
  if (result.exit_code != 0) {
    std::error_code ignored;
    fs::remove(elf, ignored);
    explain(result.errors, target);
  }
  return {elf, read_image_size(elf)};
}

}  // namespace trimtab
