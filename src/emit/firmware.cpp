#include "emit/firmware.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/units.h"
#include "emit/machine.h"
#include "emit/recipe.h"
#include "target/share.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// "mps2-an386" as MPS2_AN386.
std::string macro_of(std::string_view name) {
  std::string board(name);
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
[[noreturn]] void explain(const std::string& errors, const Target& target, std::string_view compiler) {
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

using Command = std::vector<std::string>;

void append(Command& command, const Command& more) { command.insert(command.end(), more.begin(), more.end()); }

/// The compiler with the recipe's options, and all that the sources want to be compiled with.
Command compilation(const FirmwareSources& sources, const Target& target, Optimize optimize) {
  Command command{std::string(traits_of(target.processor).toolchain->compiler)};
  const BuildRecipe recipe = recipe_of(target, optimize);
  append(command, recipe.core_flags);
  append(command, recipe.flags);
  const std::string_view library = traits_of(target.processor).toolchain->library;
  if (!library.empty()) command.emplace_back(library);
  // first the sources' own copies of the runtime's headers: #pragma once does not see that they are the same
  for (const fs::path& directory : sources.include_directories) command.push_back("-I" + directory.string());
  append(command, {"-I" + runtime_directory().string(), "-I" + firmware_directory().string()});
  for (const std::string& definition : sources.definitions) command.push_back("-D" + definition);
  return command;
}

/// The harness and the program that it runs, if there is one.
Command harness(const FirmwareSources& sources) {
  if (sources.program_name.empty()) return {};
  return {"-DTRIMTAB_NAME=" + sources.program_name, fmt::format("-DTRIMTAB_POINTS={}", sources.points),
          fmt::format("-DTRIMTAB_PUSHED_ROWS={}", sources.pushed_rows),
          (firmware_directory() / "harness.cpp").string()};
}

void run(const Command& command, const Target& target, const fs::path& output) {
  const Toolchain& toolchain = *traits_of(target.processor).toolchain;
  const ProcessResult result = run_process(command, std::string(toolchain.hint));
  if (result.timed_out) throw failure("{} did not end within ten minutes", toolchain.compiler);
  if (result.exit_code == 0) return;
  std::error_code ignored;
  fs::remove(output, ignored);
  explain(result.errors, target, toolchain.compiler);
}

/// An image for a bare core, with the memory of the target at the addresses of its machine.
BuildResult build_image(const FirmwareSources& sources, const Target& target, Optimize optimize, const fs::path& elf) {
  const std::string_view machine = machine_of(target).name;
  const fs::path firmware = firmware_directory();
  Command command = compilation(sources, target, optimize);
  append(command, {"-DTRIMTAB_BOARD_" + macro_of(machine), (firmware / "startup.cpp").string()});
  append(command, harness(sources));
  for (const fs::path& source : sources.sources) command.push_back(source.string());
  append(command, {"-nostartfiles", "-nodefaultlibs", "-lc", "-lgcc", "-Wl,--gc-sections", "-L" + firmware.string(),
                   fmt::format("-T{}/{}.ld", firmware.string(), machine),
                   fmt::format("-Wl,--defsym=trimtab_flash_bytes={}", target.flash_bytes.value),
                   fmt::format("-Wl,--defsym=trimtab_ram_bytes={}", target.ram_bytes.value),
                   "-Wl,--defsym=trimtab_stack_reserve=512", "-o", elf.string()});
  run(command, target, elf);
  return {elf, read_image_size(elf)};
}

/// A process that runs the program from the objects that also make its shared object. Only this one is a product: its
/// size counts. The process is static, so that an emulator of processes needs no libraries of the other system.
BuildResult build_process(const FirmwareSources& sources, const Target& target, Optimize optimize,
                          const fs::path& elf) {
  const TemporaryDirectory directory;
  Command objects;
  for (const fs::path& source : sources.sources) {
    objects.push_back((directory.path() / fmt::format("{}.o", objects.size())).string());
    Command command = compilation(sources, target, optimize);
    append(command, {"-c", source.string(), "-o", objects.back()});
    run(command, target, objects.back());
  }
  Command process = compilation(sources, target, optimize);
  append(process, harness(sources));
  append(process, objects);
  append(process, {"-static", "-pthread", "-Wl,--gc-sections", "-o", elf.string()});
  run(process, target, elf);
  if (sources.program_name.empty()) return {elf, read_image_size(elf)};
  const fs::path library = shared_object_of(elf, sources.program_name);
  Command link = compilation(sources, target, optimize);
  append(link, objects);
  append(link, {"-shared", "-nodefaultlibs", "-lc", "-lgcc", "-Wl,--gc-sections", "-o", library.string()});
  run(link, target, library);
  return {elf, read_image_size(library)};
}

}  // namespace

Target with_memory_of_board(Target target) {
  const std::int64_t bytes = machine_of(target).memory_bytes;
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

fs::path shared_object_of(const fs::path& elf, const std::string& program_name) {
  return elf.parent_path() / fmt::format("lib{}.so", program_name);
}

BuildResult build_firmware(const FirmwareSources& sources, const Target& target, Optimize optimize,
                           const fs::path& elf) {
  return traits_of(target.processor).toolchain->is_linux ? build_process(sources, target, optimize, elf)
                                                         : build_image(sources, target, optimize, elf);
}

}  // namespace trimtab
