#include "kernel/filter_pad.h"

#include <algorithm>
#include <string>

namespace skbtrail {
namespace {

bool is_pad_start(const bpf_insn& insn, PadKind kind) {
  return insn.code == (BPF_ALU64 | BPF_MOV | BPF_K) && insn.dst_reg == BPF_REG_0 &&
         static_cast<std::uint32_t>(insn.imm) == static_cast<std::uint32_t>(kind);
}

// Always true, and the verifier knows it: what it jumps over is removed. An unconditional jump would leave
// instructions that control flow cannot reach, which the verifier refuses.
bpf_insn jump_over(std::size_t instructions) {
  bpf_insn insn{};
  insn.code = BPF_JMP | BPF_JGE | BPF_K;
  insn.dst_reg = BPF_REG_0;
  insn.off = static_cast<std::int16_t>(instructions);
  return insn;
}

}  // namespace

Result<std::size_t> fill_pads(std::vector<bpf_insn>& program, PadKind kind, PadRoom room,
                              std::span<const bpf_insn> code) {
  const std::size_t size = pad_size(kind, room);
  if (code.size() + 1 > size)
    return refuse(E2BIG, "splice filter: " + std::to_string(code.size()) + " instructions, the pad holds " +
                             std::to_string(size - 1) + "; use a shorter expression");
  std::size_t pads = 0;
  for (std::size_t at = 0; at + size <= program.size(); ++at) {
    if (!is_pad_start(program[at], kind))
      continue;
    std::copy(code.begin(), code.end(), program.begin() + static_cast<std::ptrdiff_t>(at));
    program[at + code.size()] = jump_over(size - code.size() - 1);
    at += size - 1;
    ++pads;
  }
  return pads;
}

}  // namespace skbtrail
