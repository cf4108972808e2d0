// A plugin of the emulator that tells what an image executes between the calls of its function NAME_after_layer():
// which blocks of instructions, how often, how many of them were entered and left by a jump, how often a load read
// another line of the flash than the load before, and how often the flash's caches missed (target/flash_caches.h).
// Arguments: out=PATH, and the caches: instruction_lines=N, data_lines=N, line_bytes=N, read_bytes=N. Per call it
// appends a line "segment" and a line per block:
//     ADDRESS BYTES RUNS ENTERED LEFT FLASH_LINES MISSES (six) OPCODE ...
// (hexadecimal address and opcodes, those of 32 bits with the first half word on top).

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "emit/plugin/qemu_plugin.h"
#include "target/flash_caches.h"

namespace {

// Code memory of all emulated boards of Arm lies below, data memory above. That of a RISC-V board lies above, too:
// there are no timings of its core, and so nobody asks for its reads of the flash.
constexpr std::uint64_t flash_end = 0x20000000;
constexpr std::uint64_t flash_line = 16;

struct Block {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::vector<std::uint32_t> opcodes;
  bool ends_segment = false;
  std::uint64_t runs = 0, entered = 0, left = 0, flash_lines = 0;
  trimtab::FlashMisses misses{};
};

struct Profile {
  std::FILE* file = nullptr;
  int interface_version = 0;
  std::map<std::pair<std::uint64_t, std::size_t>, std::unique_ptr<Block>> blocks;  // by address and instructions
  Block* last = nullptr;
  std::uint64_t last_line = ~std::uint64_t{0};
  std::optional<trimtab::FlashCaches> caches;
} profile;

/// Whether a function is NAME_after_layer().
bool is_mark(std::string_view symbol) {
  constexpr std::string_view end = "_after_layer";
  return symbol.size() > end.size() && symbol.substr(symbol.size() - end.size()) == end;
}

void end_segment() {
  std::fprintf(profile.file, "segment\n");
  for (auto& [key, block] : profile.blocks) {
    if (block->runs > 0) {
      std::fprintf(profile.file, "%llx %llu %llu %llu %llu %llu", static_cast<unsigned long long>(block->address),
                   static_cast<unsigned long long>(block->bytes), static_cast<unsigned long long>(block->runs),
                   static_cast<unsigned long long>(block->entered), static_cast<unsigned long long>(block->left),
                   static_cast<unsigned long long>(block->flash_lines));
      for (const std::int64_t misses : block->misses)
        std::fprintf(profile.file, " %lld", static_cast<long long>(misses));
      for (const std::uint32_t opcode : block->opcodes) std::fprintf(profile.file, " %x", opcode);
      std::fprintf(profile.file, "\n");
    }
    block->runs = block->entered = block->left = block->flash_lines = 0;
    block->misses = {};
  }
  std::fflush(profile.file);
}

void executed(unsigned /*cpu*/, void* data) {
  auto* const block = static_cast<Block*>(data);
  ++block->runs;
  if (profile.last != nullptr && profile.last->address + profile.last->bytes != block->address) {
    ++profile.last->left;
    ++block->entered;
  }
  profile.last = block;
  if (profile.caches && block->address < flash_end) profile.caches->fetch(block->address, block->bytes, block->misses);
  if (block->ends_segment) end_segment();
}

void accessed(unsigned /*cpu*/, qemu_plugin_meminfo_t info, std::uint64_t address, void* data) {
  if (address >= flash_end || qemu_plugin_mem_is_store(info)) return;
  if (profile.caches) profile.caches->load(address, static_cast<Block*>(data)->misses);
  if (address / flash_line != profile.last_line) ++static_cast<Block*>(data)->flash_lines;
  profile.last_line = address / flash_line;
}

void translated(qemu_plugin_id_t /*id*/, qemu_plugin_tb* tb) {
  const std::size_t count = qemu_plugin_tb_n_insns(tb);
  std::unique_ptr<Block>& block = profile.blocks[{qemu_plugin_tb_vaddr(tb), count}];
  if (block == nullptr) {
    block = std::make_unique<Block>();
    block->address = qemu_plugin_tb_vaddr(tb);
    for (std::size_t i = 0; i < count; ++i) {
      const qemu_plugin_insn* const insn = qemu_plugin_tb_get_insn(tb, i);
      std::uint16_t halves[2] = {};
      trimtab::instruction_bytes(insn, profile.interface_version, halves, sizeof halves);
      const bool wide = qemu_plugin_insn_size(insn) == 4;
      block->opcodes.push_back(wide ? std::uint32_t{halves[0]} << 16 | halves[1] : halves[0]);
      block->bytes += qemu_plugin_insn_size(insn);
    }
    const char* const symbol = count > 0 ? qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0)) : nullptr;
    block->ends_segment = symbol != nullptr && is_mark(symbol);
  }
  qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block.get());
  for (std::size_t i = 0; i < count; ++i) {
    // QEMU 7.2 takes a wish for loads alone for one for stores alone
    qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), accessed, QEMU_PLUGIN_CB_NO_REGS,
                                     QEMU_PLUGIN_MEM_RW, block.get());
  }
}

}  // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int count, char** arguments) {
  profile.interface_version = info->version.cur;
  trimtab::FlashCacheShape shape;
  const std::pair<const char*, std::int64_t*> numbers[] = {{"instruction_lines=", &shape.instruction_lines},
                                                           {"data_lines=", &shape.data_lines},
                                                           {"line_bytes=", &shape.line_bytes},
                                                           {"read_bytes=", &shape.read_bytes}};
  for (int i = 0; i < count; ++i) {
    if (std::strncmp(arguments[i], "out=", 4) == 0) profile.file = std::fopen(arguments[i] + 4, "w");
    for (const auto& [key, number] : numbers) {
      const std::size_t length = std::strlen(key);
      if (std::strncmp(arguments[i], key, length) == 0) *number = std::atoll(arguments[i] + length);
    }
  }
  if (shape.instruction_lines > 0) profile.caches.emplace(shape);
  if (profile.file == nullptr) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
