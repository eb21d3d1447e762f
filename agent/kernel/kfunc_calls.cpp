#include "kernel/kfunc_calls.h"

namespace skbtrail {
namespace {

// The immediates that stand for the functions; CALL_KFUNC in bpf/include/kernel_compat.h.
constexpr std::int32_t kIsReturn = 0x5b7a0010;
constexpr std::int32_t kCookie = 0x5b7a0011;

bpf_insn call_of(std::uint32_t btf_id) {
  return {.code = BPF_JMP | BPF_CALL,
          .dst_reg = 0,
          .src_reg = BPF_PSEUDO_KFUNC_CALL,
          .off = 0,
          .imm = static_cast<std::int32_t>(btf_id)};
}

bool names(const bpf_insn& insn, std::int32_t kfunc) {
  return insn.code == (BPF_ALU64 | BPF_MOV | BPF_K) && insn.dst_reg == BPF_REG_0 && insn.imm == kfunc;
}

}  // namespace

std::optional<SessionKfuncs> session_kfuncs(const btf& vmlinux) {
  const int is_return = btf__find_by_name_kind(&vmlinux, "bpf_session_is_return", BTF_KIND_FUNC);
  const int cookie = btf__find_by_name_kind(&vmlinux, "bpf_session_cookie", BTF_KIND_FUNC);
  if (is_return < 0 || cookie < 0)
    return std::nullopt;
  return SessionKfuncs{.is_return = static_cast<std::uint32_t>(is_return),
                       .cookie = static_cast<std::uint32_t>(cookie)};
}

std::size_t write_session_calls(std::span<bpf_insn> program, const SessionKfuncs& kfuncs) {
  std::size_t written = 0;
  for (auto& insn : program) {
    if (!names(insn, kIsReturn) && !names(insn, kCookie))
      continue;
    insn = call_of(names(insn, kIsReturn) ? kfuncs.is_return : kfuncs.cookie);
    ++written;
  }
  return written;
}

}  // namespace skbtrail
