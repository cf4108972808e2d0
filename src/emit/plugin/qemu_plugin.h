#pragma once

// QEMU's plugin interface (docs/devel/tcg-plugins.rst of QEMU), as far as it is used: not every distribution packages
// its header. Included by one source of each plugin. One binary serves QEMU 7.2, which takes version 1 of the interface
// alone, and QEMU 9 and later, which take version 2 and later alone. A function that only some versions have is weak,
// so that it is null in the others.

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {

using qemu_plugin_id_t = std::uint64_t;
using qemu_plugin_meminfo_t = std::uint32_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
struct qemu_plugin_u64 {
  qemu_plugin_scoreboard* score;
  std::size_t offset;
};
struct qemu_info_t {
  const char* target_name;
  struct {
    int min, cur;
  } version;  // of the interface
};
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_RW = 3 };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb* tb, void (*callback)(unsigned, void*),
                                          qemu_plugin_cb_flags flags, void* data);
void qemu_plugin_register_vcpu_mem_cb(qemu_plugin_insn* insn,
                                      void (*callback)(unsigned, qemu_plugin_meminfo_t, std::uint64_t, void*),
                                      qemu_plugin_cb_flags flags, qemu_plugin_mem_rw rw, void* data);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
std::size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb* tb);
std::uint64_t qemu_plugin_tb_vaddr(const qemu_plugin_tb* tb);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb* tb, std::size_t index);
std::size_t qemu_plugin_insn_size(const qemu_plugin_insn* insn);
const char* qemu_plugin_insn_symbol(const qemu_plugin_insn* insn);

// one function, which returns a pointer in versions 1 and 2, and copies the bytes from version 3 on
const void* qemu_plugin_insn_data(const qemu_plugin_insn* insn);
std::size_t qemu_plugin_copy_insn_data(const qemu_plugin_insn* insn, void* bytes,
                                       std::size_t size) asm("qemu_plugin_insn_data");

// version 1
[[gnu::weak]] void qemu_plugin_register_vcpu_tb_exec_inline(qemu_plugin_tb* tb, qemu_plugin_op operation, void* number,
                                                            std::uint64_t operand);

// version 2 and later
[[gnu::weak]] qemu_plugin_scoreboard* qemu_plugin_scoreboard_new(std::size_t element_size);
[[gnu::weak]] void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(qemu_plugin_tb* tb, qemu_plugin_op operation,
                                                                     qemu_plugin_u64 number, std::uint64_t operand);
[[gnu::weak]] std::uint64_t qemu_plugin_u64_sum(qemu_plugin_u64 number);

/// QEMU reads it after it has loaded the plugin, and so after this has been initialized.
[[gnu::visibility("default")]] int qemu_plugin_version = qemu_plugin_scoreboard_new != nullptr ? 2 : 1;
[[gnu::visibility("default")]] int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int count,
                                                       char** arguments);
}

namespace trimtab {

/// A number that blocks add to whenever they are executed.
class ExecutionCounter {
 public:
  /// Call it in qemu_plugin_install() or later.
  void start() {
    if (qemu_plugin_scoreboard_new != nullptr) entry_ = {qemu_plugin_scoreboard_new(sizeof(std::uint64_t)), 0};
  }

  void add_at(qemu_plugin_tb* tb, std::uint64_t summand) {
    if (entry_.score != nullptr) {
      qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64, entry_, summand);
    } else {
      qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &number_, summand);
    }
  }

  [[nodiscard]] std::uint64_t value() const { return entry_.score != nullptr ? qemu_plugin_u64_sum(entry_) : number_; }

 private:
  qemu_plugin_u64 entry_{};
  std::uint64_t number_ = 0;
};

/// Copies the bytes of an instruction, at most `size`. `version` is the interface's in the running QEMU.
inline void instruction_bytes(const qemu_plugin_insn* insn, int version, void* bytes, std::size_t size) {
  if (version >= 3) {
    qemu_plugin_copy_insn_data(insn, bytes, size);
    return;
  }
  const std::size_t length = qemu_plugin_insn_size(insn);
  std::memcpy(bytes, qemu_plugin_insn_data(insn), length < size ? length : size);
}

}  // namespace trimtab
