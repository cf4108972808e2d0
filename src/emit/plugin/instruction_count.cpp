// A plugin of the emulator of processes that counts executed instructions. Whenever the process enters its function
// trimtab_count(), it appends the count so far, the function's own instructions included, as a line of the file
// out=PATH. The emulator knows functions by their symbols only where it writes a log (-d).

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "emit/plugin/qemu_plugin.h"

namespace {

std::FILE* file = nullptr;
trimtab::ExecutionCounter instructions;

void marked(unsigned /*cpu*/, void* /*data*/) {
  std::fprintf(file, "%llu\n", static_cast<unsigned long long>(instructions.value()));
  std::fflush(file);
}

void translated(qemu_plugin_id_t /*id*/, qemu_plugin_tb* tb) {
  const std::size_t count = qemu_plugin_tb_n_insns(tb);
  instructions.add_at(tb, count);
  const char* const symbol = count > 0 ? qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0)) : nullptr;
  if (symbol != nullptr && std::strcmp(symbol, "trimtab_count") == 0) {
    qemu_plugin_register_vcpu_tb_exec_cb(tb, marked, QEMU_PLUGIN_CB_NO_REGS, nullptr);
  }
}

}  // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* /*info*/, int count, char** arguments) {
  for (int i = 0; i < count; ++i) {
    if (std::strncmp(arguments[i], "out=", 4) == 0) file = std::fopen(arguments[i] + 4, "w");
  }
  if (file == nullptr) return 1;
  instructions.start();
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
