#include "emit/machine.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/error.h"

namespace trimtab {
namespace {

// GCC 12 spills the accumulators of kernels for 32-bit Arm and RISC-V where it schedules before register allocation. A
// shared object needs code that runs at any address.
constexpr Toolchain arm_bare{"arm-none-eabi-g++",
                             "install the packages gcc-arm-none-eabi and libnewlib-arm-none-eabi",
                             false,
                             {"-fno-schedule-insns"},
                             true};
constexpr Toolchain arm_linux{
    "arm-linux-gnueabihf-g++", "install the package g++-arm-linux-gnueabihf", true, {"-fno-schedule-insns", "-fPIC"}};
constexpr Toolchain aarch64_linux{
    "aarch64-linux-gnu-g++", "install the package g++-aarch64-linux-gnu", true, {"-fPIC"}};
// Debian's compiler has no C library of its own. Images take memcpy and memset from picolibc, and do without its
// start-up code.
constexpr Toolchain riscv_bare{"riscv64-unknown-elf-g++",
                               "install the packages gcc-riscv64-unknown-elf and picolibc-riscv64-unknown-elf",
                               false,
                               {"-fno-schedule-insns"},
                               false,
                               "--specs=picolibc.specs"};

// The MPS2 boards have 4 MB of code memory and 4 MB of SRAM; AN547 has tightly coupled memories of 512 KB (see the .ld
// files).
constexpr std::int64_t mps2_bytes = std::int64_t{4} << 20;
constexpr std::int64_t mps3_bytes = std::int64_t{512} << 10;

constexpr std::array machines{
    Machine{"microbit", "qemu-system-arm", "qemu-system-arm", 16'000'000, 0},
    Machine{"mps2-an385", "qemu-system-arm", "qemu-system-arm", 25'000'000, mps2_bytes},
    Machine{"mps2-an386", "qemu-system-arm", "qemu-system-arm", 25'000'000, mps2_bytes},
    Machine{"mps2-an500", "qemu-system-arm", "qemu-system-arm", 25'000'000, mps2_bytes},
    Machine{"mps2-an505", "qemu-system-arm", "qemu-system-arm", 20'000'000, mps2_bytes},
    Machine{"mps3-an547", "qemu-system-arm", "qemu-system-arm", 20'000'000, mps3_bytes},
    Machine{"netduinoplus2", "qemu-system-arm", "qemu-system-arm"},  // an STM32F405
    Machine{"virt", "qemu-system-riscv32", "qemu-system-misc", 7'812'500, mps2_bytes, {"-bios", "none"}},
    Machine{"qemu-arm", "qemu-arm", "qemu-user"},
    Machine{"qemu-aarch64", "qemu-aarch64", "qemu-user"}};

std::vector<std::string> thumb(const std::string& processor) { return {"-mcpu=" + processor, "-mthumb"}; }

}  // namespace

const ProcessorTraits& traits_of(Processor processor) {
  // Widths: Arm's product pages of the Cortex-A cores (A7, A53 and A55 dual-issue, A15 and A72 decode three
  // instructions a cycle, A76 four).
  static const std::map<Processor, ProcessorTraits> rows{
      {Processor::cortex_m0plus, {Core::cortex_m0, &arm_bare, thumb("cortex-m0plus")}},
      {Processor::cortex_m3, {Core::cortex_m3, &arm_bare, thumb("cortex-m3")}},
      {Processor::cortex_m4, {Core::cortex_m4, &arm_bare, thumb("cortex-m4")}},
      {Processor::cortex_m7, {Core::cortex_m4, &arm_bare, thumb("cortex-m7")}},
      {Processor::cortex_m33, {Core::cortex_m4, &arm_bare, thumb("cortex-m33")}},
      {Processor::cortex_m55, {Core::cortex_m55, &arm_bare, thumb("cortex-m55")}},
      {Processor::cortex_a7,
       {Core::cortex_a15, &arm_linux, {"-mcpu=cortex-a7", "-mfpu=neon-vfpv4", "-mfloat-abi=hard"}, "cortex-a7", 2}},
      {Processor::cortex_a15,
       {Core::cortex_a15, &arm_linux, {"-mcpu=cortex-a15", "-mfpu=neon-vfpv4", "-mfloat-abi=hard"}, "cortex-a15", 3}},
      {Processor::cortex_a53, {Core::cortex_a53, &aarch64_linux, {"-mcpu=cortex-a53"}, "cortex-a53", 2}},
      {Processor::cortex_a72, {Core::cortex_a53, &aarch64_linux, {"-mcpu=cortex-a72"}, "cortex-a72", 3}},
      {Processor::cortex_a55, {Core::cortex_a76, &aarch64_linux, {"-mcpu=cortex-a55"}, "cortex-a76", 2}},
      {Processor::cortex_a76, {Core::cortex_a76, &aarch64_linux, {"-mcpu=cortex-a76"}, "cortex-a76", 4}},
      {Processor::rv32imc, {Core::rv32imc, &riscv_bare, {"-march=rv32imc", "-mabi=ilp32"}}}};
  return rows.at(processor);
}

const Machine& machine_of(const Target& target) {
  const auto* const machine = std::ranges::find(machines, target.emulated_board, &Machine::name);
  if (machine == machines.end()) {
    throw bad_input("the emulated board \"{}\" of target {} is not supported", target.emulated_board, target.name);
  }
  return *machine;
}

}  // namespace trimtab
