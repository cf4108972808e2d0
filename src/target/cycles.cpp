#include "target/cycles.h"

#include <algorithm>
#include <bit>

namespace trimtab {
namespace {

/// Kinds of instructions in the timing tables. Armv7-M Architecture Reference Manual (DDI 0403), A5: encodings.
enum class Kind : std::uint8_t {
  plain,
  load,
  store,
  store_register,
  multiple,
  multiply_add,
  multiply_long,
  divide,
  table
};

struct Instruction {
  Kind kind = Kind::plain;
  int words = 0;    ///< that `multiple` moves
  int target = -1;  ///< register that a load writes
  int base = -1;    ///< registers that form a load's or store's address
  int index = -1;
};

Instruction decode_narrow(std::uint32_t code) {
  const auto field = [&](int from, int bits) { return static_cast<int>(code >> from & ((1U << bits) - 1)); };
  if ((code & 0xf800) == 0x4800) return {Kind::load, 1, field(8, 3), 15};
  if ((code & 0xf000) == 0x5000) {
    const bool load = field(9, 3) >= 3;
    return {load ? Kind::load : Kind::store_register, 1, load ? field(0, 3) : -1, field(3, 3), field(6, 3)};
  }
  if ((code & 0xe000) == 0x6000 || (code & 0xf000) == 0x8000) {
    const bool load = field(11, 1) == 1;
    return {load ? Kind::load : Kind::store, 1, load ? field(0, 3) : -1, field(3, 3)};
  }
  if ((code & 0xf000) == 0x9000) {
    const bool load = field(11, 1) == 1;
    return {load ? Kind::load : Kind::store, 1, load ? field(8, 3) : -1, 13};
  }
  if ((code & 0xf600) == 0xb400) return {Kind::multiple, std::popcount(code & 0x1ff)};  // PUSH, POP
  if ((code & 0xf000) == 0xc000) return {Kind::multiple, std::popcount(code & 0xff)};   // STM, LDM
  return {};
}

Instruction decode_wide(std::uint32_t code) {
  const std::uint32_t high = code >> 16;
  const auto field = [&](int from, int bits) { return static_cast<int>(code >> from & ((1U << bits) - 1)); };
  if ((high & 0xfe40) == 0xe800) return {Kind::multiple, std::popcount(code & 0xffff)};
  if ((high & 0xfe40) == 0xe840) {
    if ((high & 0xfff0) == 0xe8d0 && (code & 0xffe0) == 0xf000) return {Kind::table};
    if ((high & 0x0120) != 0) return {Kind::multiple, 2};  // LDRD, STRD
    return {Kind::load, 1, field(12, 4), field(16, 4)};    // exclusive
  }
  if ((high & 0xfe00) == 0xf800) {  // single loads and stores
    const bool indexed = (high & 0x0080) == 0 && (code & 0x0fc0) == 0 && (high & 0xf) != 0xf;
    if ((high & 0x0010) != 0) {
      return {Kind::load, 1, field(12, 4), field(16, 4), indexed ? field(0, 4) : -1};
    }
    return {indexed ? Kind::store_register : Kind::store, 1, -1, field(16, 4), indexed ? field(0, 4) : -1};
  }
  if ((high & 0xff80) == 0xfb00) {
    const bool adds = (high & 0x0070) != 0 || (code & 0xf000) != 0xf000;
    return {adds ? Kind::multiply_add : Kind::plain};
  }
  if ((high & 0xff80) == 0xfb80) return {(code & 0x00f0) == 0x00f0 ? Kind::divide : Kind::multiply_long};
  return {};
}

/// Cycles by kind. `refill`: of the pipeline after a jump.
struct Timing {
  double load, store_register, multiply_add, multiply_long, divide, refill;
  bool loads_overlap;  ///< a load or store right after a load takes a cycle less
};

// Arm DDI 0439 (Cortex-M4 TRM), 3.3.1 and 3.3.3: P is 1 to 3, SDIV and UDIV 2 to 12: middles.
constexpr Timing cortex_m4{2, 2, 1, 1, 7, 2, true};
// Arm DDI 0337 (Cortex-M3 TRM), 3.3.1 and 3.3.2: MLA 2, UMULL and SMULL 3 to 5, UMLAL and SMLAL 4 to 7: middles.
constexpr Timing cortex_m3{2, 2, 2, 5, 7, 2, true};
// Arm DDI 0484 (Cortex-M0+ TRM), 3.3: loads and stores 2, LDM 1+N, a taken branch 2; the fast multiplier.
constexpr Timing cortex_m0plus{2, 2, 1, 1, 1, 1, false};

struct Model {
  Timing timing;
  double scale;  ///< of the cycles
  std::string_view source;
};

std::optional<Model> model_of(Processor processor) {
  switch (processor) {
    case Processor::cortex_m0plus:
      return Model{cortex_m0plus, 1, "instruction timings of the Cortex-M0+ (Arm DDI 0484, 3.3)"};
    case Processor::cortex_m3:
      return Model{cortex_m3, 1, "instruction timings of the Cortex-M3 (Arm DDI 0337, 3.3)"};
    case Processor::cortex_m4:
      return Model{cortex_m4, 1, "instruction timings of the Cortex-M4 (Arm DDI 0439, 3.3)"};
    case Processor::cortex_m7:
      // ST AN4667 (STM32F7 series system architecture and performance), Introduction: 1082 CoreMark, at 216 MHz.
      // STM32F4 series: 608 CoreMark at 180 MHz, as ST's product page is quoted by others (not checked against the
      // page). Arm's own numbers as NXP AN12284, 1 Introduction, gives them: Cortex-M4 3.40, Cortex-M33 4.02 per MHz.
      return Model{
          cortex_m4, 608.0 / 180 / (1082.0 / 216),
          "instruction timings of the Cortex-M4 (Arm DDI 0439, 3.3) divided by the ratio of CoreMark per MHz of "
          "STM32F7 (ST AN4667) and STM32F4 (5.01 / 3.38), as Arm publishes no timings of the Cortex-M7"};
    case Processor::cortex_m33:
      // STM32L552 of 110 MHz: 442 CoreMark, 4.02 per MHz (Zephyr's page of the board NUCLEO-L552ZE-Q, which quotes ST)
      return Model{
          cortex_m4, 608.0 / 180 / (442.0 / 110),
          "instruction timings of the Cortex-M4 (Arm DDI 0439, 3.3) divided by the ratio of CoreMark per MHz of "
          "STM32L5 and STM32F4 (4.02 / 3.38), as Arm publishes no timings of the Cortex-M33"};
    case Processor::cortex_m55:
      return std::nullopt;
  }
  return std::nullopt;
}

/// Of one run that falls through at its end.
double block_cycles(const ExecutedBlock& block, const Timing& timing) {
  double cycles = 0;
  Instruction before;
  for (const std::uint32_t code : block.opcodes) {
    const Instruction now = code > 0xffff ? decode_wide(code) : decode_narrow(code);
    const bool waits = before.target >= 0 && (before.target == now.base || before.target == now.index);
    const bool overlaps = timing.loads_overlap && before.kind == Kind::load && !waits;
    switch (now.kind) {
      case Kind::load:
        cycles += timing.load - (overlaps ? 1 : 0);
        break;
      case Kind::store:
        cycles += timing.loads_overlap ? 1 : timing.load;  // "STR Rx,[Ry,#imm] is always one cycle"
        break;
      case Kind::store_register:
        cycles += timing.store_register - (overlaps ? 1 : 0);
        break;
      case Kind::multiple:
        cycles += 1 + now.words;
        break;
      case Kind::multiply_add:
        cycles += timing.multiply_add;
        break;
      case Kind::multiply_long:
        cycles += timing.multiply_long;
        break;
      case Kind::divide:
        cycles += timing.divide;
        break;
      case Kind::table:
        cycles += 2;
        break;
      case Kind::plain:
        cycles += 1;
    }
    before = now;
  }
  return cycles;
}

}  // namespace

std::string cycle_model(Processor processor) {
  const std::optional<Model> model = model_of(processor);
  return model.has_value() ? std::string(model->source) : std::string();
}

std::int64_t count_instructions(std::span<const ExecutedBlock> blocks) {
  std::int64_t count = 0;
  for (const ExecutedBlock& block : blocks) count += block.runs * std::ssize(block.opcodes);
  return count;
}

std::optional<CycleEstimate> estimate_cycles(std::span<const ExecutedBlock> blocks, const Target& target) {
  const std::optional<Model> model = model_of(target.processor);
  if (!model.has_value()) return std::nullopt;
  double cycles = 0;
  double lines = 0;
  const std::int64_t line = target.flash_read_bytes.value;
  for (const ExecutedBlock& block : blocks) {
    const auto runs = static_cast<double>(block.runs);
    cycles += runs * block_cycles(block, model->timing) + static_cast<double>(block.left) * model->timing.refill;
    // lines that begin inside the block, the line of a jump's destination, and lines of constants
    const std::int64_t begin = block.address;
    const std::int64_t inside = (begin + block.bytes - 1) / line - (begin - 1) / line;
    const double first = begin % line == 0 ? 0 : static_cast<double>(block.entered);
    lines += runs * static_cast<double>(inside) + first + static_cast<double>(block.flash_lines);
  }
  CycleEstimate estimate;
  estimate.without_waits = cycles * model->scale;
  estimate.with_waits = estimate.without_waits + lines * static_cast<double>(target.flash_wait_states.value);
  return estimate;
}

}  // namespace trimtab
