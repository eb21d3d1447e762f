#include "filter/classic_program.h"

#include <string>

namespace skbtrail {
namespace {

bool is_alu(std::uint16_t code) {
  switch (BPF_OP(code)) {
    case BPF_ADD:
    case BPF_SUB:
    case BPF_MUL:
    case BPF_DIV:
    case BPF_MOD:
    case BPF_OR:
    case BPF_AND:
    case BPF_XOR:
    case BPF_LSH:
    case BPF_RSH: return (code & ~(0xf0 | BPF_X)) == BPF_ALU;
    case BPF_NEG: return code == (BPF_ALU | BPF_NEG);
    default: return false;
  }
}

bool is_conditional_jump(std::uint16_t code) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
    case BPF_JGT:
    case BPF_JGE:
    case BPF_JSET: return (code & ~(0xf0 | BPF_X)) == BPF_JMP;
    default: return false;
  }
}

bool is_known(std::uint16_t code) {
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_H | BPF_ABS:
    case BPF_LD | BPF_B | BPF_ABS:
    case BPF_LD | BPF_W | BPF_IND:
    case BPF_LD | BPF_H | BPF_IND:
    case BPF_LD | BPF_B | BPF_IND:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_B | BPF_MSH:
    case BPF_LDX | BPF_IMM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
    case BPF_JMP | BPF_JA:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA: return true;
    default: return is_alu(code) || is_conditional_jump(code);
  }
}

bool uses_memory_word(std::uint16_t code) {
  return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM) || code == BPF_ST || code == BPF_STX;
}

bool reads_metadata(const sock_filter& instruction) {
  return BPF_CLASS(instruction.code) == BPF_LD && BPF_MODE(instruction.code) == BPF_ABS &&
         instruction.k >= static_cast<std::uint32_t>(SKF_AD_OFF);
}

bool divides_by_zero(const sock_filter& instruction) {
  return (instruction.code == (BPF_ALU | BPF_DIV | BPF_K) || instruction.code == (BPF_ALU | BPF_MOD | BPF_K)) &&
         instruction.k == 0;
}

bool jumps_backwards(const sock_filter& instruction) {
  return instruction.code == (BPF_JMP | BPF_JA) && static_cast<std::int32_t>(instruction.k) < 0;
}

Error refuse_at(std::size_t at, const std::string& why) {
  return refuse(EINVAL, "instruction " + std::to_string(at) + " " + why);
}

Result<> check_instruction(std::span<const sock_filter> program, std::size_t at) {
  const sock_filter& instruction = program[at];
  if (!is_known(instruction.code))
    return refuse_at(at, "has the unknown code " + std::to_string(instruction.code));
  if (uses_memory_word(instruction.code) && instruction.k >= BPF_MEMWORDS)
    return refuse_at(at, "uses a memory word beyond the " + std::to_string(BPF_MEMWORDS) + " there are");
  if (reads_metadata(instruction))
    return refuse_at(at,
                     "reads packet metadata instead of packet bytes; leave out 'inbound', 'outbound' and 'ifindex'");
  if (divides_by_zero(instruction))
    return refuse_at(at, "divides by zero");
  if (jumps_backwards(instruction))
    return refuse_at(at, "loops, which filters in the kernel cannot; write 'proto' instead of 'protochain'");
  for (const std::size_t next : successors(program, at))
    if (next >= program.size() && BPF_CLASS(instruction.code) == BPF_JMP)
      return refuse_at(at, "jumps out of the program");
  return {};
}

// What one instruction reads and writes, as bits of ClassicFlow::read_unset.
struct Effect {
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
};

Effect effect_of_load(const sock_filter& instruction, std::uint32_t target) {
  switch (BPF_MODE(instruction.code)) {
    case BPF_IND: return {.reads = kIndexBit, .writes = target};
    case BPF_MEM: return {.reads = kWordBit << instruction.k, .writes = target};
    default: return {.reads = 0, .writes = target};
  }
}

Effect effect_of(const sock_filter& instruction) {
  const bool with_index = BPF_SRC(instruction.code) == BPF_X;
  switch (BPF_CLASS(instruction.code)) {
    case BPF_LD: return effect_of_load(instruction, kAccumulatorBit);
    case BPF_LDX: return effect_of_load(instruction, kIndexBit);
    case BPF_ST: return {.reads = kAccumulatorBit, .writes = kWordBit << instruction.k};
    case BPF_STX: return {.reads = kIndexBit, .writes = kWordBit << instruction.k};
    case BPF_ALU: return {.reads = kAccumulatorBit | (with_index ? kIndexBit : 0), .writes = kAccumulatorBit};
    case BPF_JMP:
      if (BPF_OP(instruction.code) == BPF_JA)
        return {};
      return {.reads = kAccumulatorBit | (with_index ? kIndexBit : 0), .writes = 0};
    case BPF_RET: return {.reads = BPF_RVAL(instruction.code) == BPF_A ? kAccumulatorBit : 0, .writes = 0};
    default:  // BPF_MISC
      if (BPF_MISCOP(instruction.code) == BPF_TAX)
        return {.reads = kAccumulatorBit, .writes = kIndexBit};
      return {.reads = kIndexBit, .writes = kAccumulatorBit};
  }
}

}  // namespace

Result<> check_classic(std::span<const sock_filter> program) {
  if (program.empty())
    return refuse(EINVAL, "the compiled program is empty");
  for (std::size_t at = 0; at < program.size(); ++at)
    TRY(check_instruction(program, at));
  if (BPF_CLASS(program.back().code) != BPF_RET)
    return refuse_at(program.size() - 1, "ends the program without a verdict");
  return {};
}

std::uint32_t load_size(const sock_filter& instruction) {
  switch (BPF_SIZE(instruction.code)) {
    case BPF_B: return 1;
    case BPF_H: return 2;
    default: return 4;
  }
}

bool loads_packet(const sock_filter& instruction) {
  const auto mode = BPF_MODE(instruction.code);
  return (BPF_CLASS(instruction.code) == BPF_LD && (mode == BPF_ABS || mode == BPF_IND)) ||
         instruction.code == (BPF_LDX | BPF_B | BPF_MSH);
}

bool never_fits(const sock_filter& instruction) {
  return loads_packet(instruction) && instruction.k > kMaxPacketLength - load_size(instruction);
}

std::vector<std::size_t> successors(std::span<const sock_filter> program, std::size_t at) {
  const sock_filter& instruction = program[at];
  const std::size_t next = at + 1;
  if (BPF_CLASS(instruction.code) == BPF_RET || never_fits(instruction))
    return {};
  if (instruction.code == (BPF_JMP | BPF_JA))
    return {next + instruction.k};
  if (BPF_CLASS(instruction.code) == BPF_JMP)
    return {next + instruction.jt, next + instruction.jf};
  return {next};
}

ClassicFlow follow(std::span<const sock_filter> program) {
  ClassicFlow flow{.reachable = std::vector<bool>(program.size(), false), .read_unset = 0};
  std::vector<std::uint32_t> written(program.size(), 0);
  flow.reachable[0] = true;
  for (std::size_t at = 0; at < program.size(); ++at) {
    if (!flow.reachable[at])
      continue;
    const Effect effect = effect_of(program[at]);
    flow.read_unset |= effect.reads & ~written[at];
    const std::uint32_t written_after = written[at] | effect.writes;
    for (const std::size_t next : successors(program, at)) {
      written[next] = flow.reachable[next] ? written[next] & written_after : written_after;
      flow.reachable[next] = true;
    }
  }
  return flow;
}

}  // namespace skbtrail
