#include "support/well_formed.h"

#include <vector>

namespace skbtrail::test {
namespace {

bool is_jump(const bpf_insn& instruction) {
  const int family = BPF_CLASS(instruction.code);
  return (family == BPF_JMP || family == BPF_JMP32) && BPF_OP(instruction.code) != BPF_CALL;
}

}  // namespace

std::string fault_of(std::span<const bpf_insn> code) {
  std::vector<bool> reached(code.size() + 1);
  reached[0] = true;
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (!reached[at])
      return "nothing reaches instruction " + std::to_string(at);
    const bpf_insn& instruction = code[at];
    if (instruction.code == (BPF_LD | BPF_DW | BPF_IMM)) {
      reached[++at] = true;  // the other half of the number
      reached[at + 1] = true;
      continue;
    }
    if (is_jump(instruction)) {
      const auto target = static_cast<std::ptrdiff_t>(at) + 1 + instruction.off;
      if (instruction.off < 0 || target > static_cast<std::ptrdiff_t>(code.size()))
        return "instruction " + std::to_string(at) + " jumps by " + std::to_string(instruction.off);
      reached[static_cast<std::size_t>(target)] = true;
    }
    if (instruction.code != (BPF_JMP | BPF_JA))
      reached[at + 1] = true;
  }
  return reached[code.size()] ? "" : "nothing reaches the end";
}

}  // namespace skbtrail::test
