#include "target/cycles.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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
  table,
  float_load,
  float_multiple,
  float_move_two,
  float_multiply_add,
  float_divide
};

struct Instruction {
  Kind kind = Kind::plain;
  int words = 0;    ///< that `multiple` moves
  int target = -1;  ///< register that a load writes
  int base = -1;    ///< registers that form a load's or store's address
  int index = -1;
  std::uint32_t computes = 0;  ///< registers that data processing writes
};

constexpr std::uint32_t bit(int position) { return 1U << position; }

Instruction computing(Kind kind, std::uint32_t registers) {
  Instruction made{kind};
  made.computes = registers;
  return made;
}

/// The registers that a 16-bit data processing instruction writes.
std::uint32_t narrow_result(std::uint32_t code) {
  const auto field = [&](int from, int bits) { return static_cast<int>(code >> from & ((1U << bits) - 1)); };
  const int group = field(11, 5);
  if (group <= 3) return bit(field(0, 3));                              // shifts, ADD, SUB
  if (group == 4 || group == 6 || group == 7) return bit(field(8, 3));  // MOV, ADD, SUB of an immediate
  if (code >> 10 == 0x10) {
    const int operation = field(6, 4);  // not TST, CMP, CMN
    return operation == 8 || operation == 10 || operation == 11 ? 0 : bit(field(0, 3));
  }
  if (code >> 10 == 0x11) {
    const int operation = field(8, 2);  // ADD and MOV of high registers
    return operation == 0 || operation == 2 ? bit(field(7, 1) << 3 | field(0, 3)) : 0;
  }
  if (group == 20 || group == 21) return bit(field(8, 3));  // ADR, ADD of SP
  if ((code & 0xff00) == 0xb000) return bit(13);
  if ((code & 0xff00) == 0xb200 || (code & 0xff00) == 0xba00) return bit(field(0, 3));  // extensions, REV
  return 0;
}

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
  return computing(Kind::plain, narrow_result(code));
}

/// Coprocessor 10 and 11 (DDI 0403, A6.4 to A6.7): timings in Arm DDI 0439, 7.2.3.
Instruction decode_float(std::uint32_t code) {
  const std::uint32_t high = code >> 16;
  if ((high & 0xffe0) == 0xec40) return {Kind::float_move_two};
  if ((high & 0xfe00) == 0xec00) {
    const int base = static_cast<int>(high & 15);
    if ((high & 0x0120) == 0x0100) return {Kind::float_load, (code & 0x100) != 0 ? 2 : 1, -1, base};
    return {Kind::float_multiple, static_cast<int>(code & 0xff), -1, base};
  }
  if ((code & 0x10) != 0) return {};
  const std::uint32_t operation = (high >> 4 & 3) | (high >> 7 & 1) << 2;
  if (operation == 4) return {Kind::float_divide};
  return {operation <= 1 || operation == 5 || operation == 6 ? Kind::float_multiply_add : Kind::plain};
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
  if ((high & 0xec00) == 0xec00 && (code & 0xe00) == 0xa00) return decode_float(code);
  const std::uint32_t result = field(8, 4) == 15 ? 0 : bit(field(8, 4));
  if ((high & 0xfe00) == 0xea00) return computing(Kind::plain, result);                          // shifted register
  if ((high & 0xf800) == 0xf000 && (code & 0x8000) == 0) return computing(Kind::plain, result);  // immediate
  if ((high & 0xff00) == 0xfa00) return computing(Kind::plain, result);                          // register
  if ((high & 0xfe00) == 0xf800) {  // single loads and stores
    const bool indexed = (high & 0x0080) == 0 && (code & 0x0fc0) == 0 && (high & 0xf) != 0xf;
    if ((high & 0x0010) != 0) {
      return {Kind::load, 1, field(12, 4), field(16, 4), indexed ? field(0, 4) : -1};
    }
    return {indexed ? Kind::store_register : Kind::store, 1, -1, field(16, 4), indexed ? field(0, 4) : -1};
  }
  if ((high & 0xff80) == 0xfb00) {
    const bool adds = (high & 0x0070) != 0 || (code & 0xf000) != 0xf000;
    return computing(adds ? Kind::multiply_add : Kind::plain, result);
  }
  if ((high & 0xff80) == 0xfb80) {
    const bool divides = (code & 0x00f0) == 0x00f0;
    return computing(divides ? Kind::divide : Kind::multiply_long, result | (divides ? 0 : bit(field(12, 4))));
  }
  return {};
}

/// Cycles by kind. `refill`: of the pipeline after a jump.
struct Timing {
  double load, store_register, multiply_add, multiply_long, divide, refill;
  bool loads_overlap;  ///< a load or store right after a load takes a cycle less
  /// A load or store whose address data processing has made just before waits a cycle (DDI 0439, 3.3.2: "stalls the
  /// pipeline for an additional cycle").
  bool addresses_wait;
};

// Arm DDI 0439 (Cortex-M4 TRM), 3.3.1 and 3.3.3: P is 1 to 3, SDIV and UDIV 2 to 12: middles.
constexpr Timing cortex_m4{2, 2, 1, 1, 7, 2, true, true};
// Arm DDI 0337 (Cortex-M3 TRM), 3.3.1 and 3.3.2: MLA 2, UMULL and SMULL 3 to 5, UMLAL and SMLAL 4 to 7: middles.
constexpr Timing cortex_m3{2, 2, 2, 5, 7, 2, true, true};
// Arm DDI 0484 (Cortex-M0+ TRM), 3.3: loads and stores 2, LDM 1+N, a taken branch 2; the fast multiplier.
constexpr Timing cortex_m0plus{2, 2, 1, 1, 1, 1, false, false};

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
      // By CoreMark per MHz it would take 3.38 / 4.02 of the cycles. On convolutional networks it is slower than that:
      // the U575 takes 1.11 to 1.25 times fewer cycles than the L4R5 for the same networks (MLPerf Tiny's results), and
      // the L4R5 has the longer waits for its flash, 1.06 to 1.17 of the cycles.
      return Model{cortex_m4, 1 / 1.05,
                   "instruction timings of the Cortex-M4 (Arm DDI 0439, 3.3) divided by 1.05, by which networks are "
                   "faster in MLPerf Tiny's results (U575 against L4R5, without waits for the flash), as Arm publishes "
                   "no timings of the Cortex-M33"};
    case Processor::cortex_m55:
    case Processor::cortex_a7:
    case Processor::cortex_a15:
    case Processor::cortex_a53:
    case Processor::cortex_a55:
    case Processor::cortex_a72:
    case Processor::cortex_a76:
    case Processor::rv32imc:
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
    const bool computed = (now.base >= 0 && now.base != 15 && (before.computes & bit(now.base)) != 0) ||
                          (now.index >= 0 && (before.computes & bit(now.index)) != 0);
    if (timing.addresses_wait && computed) cycles += 1;
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
        cycles += 4;  // with the jump six, the least that DDI 0439 gives
        break;
      case Kind::float_load:
      case Kind::float_multiple:
        cycles += 1 + now.words;
        break;
      case Kind::float_move_two:
        cycles += 2;
        break;
      case Kind::float_multiply_add:
        cycles += 3;
        break;
      case Kind::float_divide:
        cycles += 14;
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

std::string flash_model(const Target& target) {
  const std::int64_t waits = target.flash_wait_states.value;
  if (waits == 0) return "the flash has no wait states";
  if (!target.flash_cache.has_value()) {
    return fmt::format("{} wait states for every {} bytes of flash that are read, as the target describes no cache",
                       waits, target.flash_read_bytes.value);
  }
  const FlashCache& cache = *target.flash_cache;
  return fmt::format("caches of {} and {} lines of {} bytes simulated{}, {} wait states for every miss",
                     cache.instruction_lines, cache.data_lines, cache.line_bytes,
                     cache.prefetches ? " with prefetching" : "", waits);
}

std::int64_t count_instructions(std::span<const ExecutedBlock> blocks) {
  std::int64_t count = 0;
  for (const ExecutedBlock& block : blocks) count += block.runs * std::ssize(block.opcodes);
  return count;
}

CycleEstimate operator+(const CycleEstimate& a, const CycleEstimate& b) {
  return {a.without_waits + b.without_waits, a.least + b.least, a.expected + b.expected, a.most + b.most};
}

std::optional<CycleEstimate> estimate_cycles(std::span<const ExecutedBlock> blocks, const Target& target) {
  const std::optional<Model> model = model_of(target.processor);
  if (!model.has_value()) return std::nullopt;
  double cycles = 0;
  double lines = 0;
  double bytes = 0;
  FlashMisses misses{};
  const std::int64_t line = target.flash_read_bytes.value;
  for (const ExecutedBlock& block : blocks) {
    const auto runs = static_cast<double>(block.runs);
    cycles += runs * block_cycles(block, model->timing) + static_cast<double>(block.left) * model->timing.refill;
    // lines that begin inside the block, the line of a jump's destination, and lines of constants
    const std::int64_t begin = block.address;
    const std::int64_t inside = (begin + block.bytes - 1) / line - (begin - 1) / line;
    const double first = begin % line == 0 ? 0 : static_cast<double>(block.entered);
    lines += runs * static_cast<double>(inside) + first + static_cast<double>(block.flash_lines);
    bytes += runs * static_cast<double>(block.bytes);
    for (std::size_t i = 0; i < misses.size(); ++i) misses[i] += block.flash_misses[i];
  }
  const double without = cycles * model->scale;
  const auto waits = static_cast<double>(target.flash_wait_states.value);
  if (!target.flash_cache.has_value()) {
    const double most = without + lines * waits;
    return CycleEstimate{without, without, most, most};
  }
  // A line comes read by read. Instructions that run through it faster than that wait for each of the rest; constants
  // are taken more slowly.
  const auto reads = static_cast<double>(target.flash_cache->line_bytes / line);
  const double per_read = bytes > 0 ? without / bytes * static_cast<double>(line) : 0;
  const double per_line = waits + (reads - 1) * std::max(0.0, waits + 1 - per_read);
  const auto with = [&](FlashMiss instructions, double each, FlashMiss data) {
    return without + static_cast<double>(misses[instructions]) * each + static_cast<double>(misses[data]) * waits;
  };
  const double by_lines = with(instruction_lines, per_line, data_lines);
  const double by_lines_prefetched = with(instruction_lines_prefetched, per_line, data_lines);
  const std::array all{by_lines, by_lines_prefetched, with(instruction_reads, waits, data_reads),
                       with(instruction_reads_prefetched, waits, data_reads)};
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  return CycleEstimate{without, *least, target.flash_cache->prefetches ? by_lines_prefetched : by_lines, *most};
}

}  // namespace trimtab
