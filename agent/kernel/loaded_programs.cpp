#include "kernel/loaded_programs.h"

#include <bpf/bpf.h>

#include <algorithm>

#include "base/unique_fd.h"

namespace skbtrail {
namespace {

// What a call of a helper is relative to, in what the kernel shows of a program.
constexpr std::string_view kCallBase = "__bpf_call_base";
constexpr std::uint8_t kCall = BPF_JMP | BPF_CALL;

template <class Item>
std::uint64_t address_of(std::vector<Item>& items) {
  return reinterpret_cast<std::uintptr_t>(items.data());
}

Result<bpf_prog_info> ask(int program, bpf_prog_info wanted) {
  __u32 size = sizeof(wanted);
  if (bpf_obj_get_info_by_fd(program, &wanted, &size)) {
    const int err = errno;
    return fail(err, "ask about a BPF program");
  }
  return wanted;
}

// As the verifier left them.
std::vector<bpf_insn> instructions_of(int program) {
  const auto sizes = ask(program, {});
  if (!sizes)
    return {};
  std::vector<bpf_insn> code(sizes->xlated_prog_len / sizeof(bpf_insn));
  bpf_prog_info wanted{};
  wanted.xlated_prog_len = sizes->xlated_prog_len;
  wanted.xlated_prog_insns = address_of(code);
  return ask(program, wanted) ? code : std::vector<bpf_insn>{};
}

// Calls of subprograms are no calls of the kernel, and a call without an offset is one whose address is hidden.
bool leaves_program(const bpf_insn& insn) {
  return insn.code == kCall && insn.src_reg != BPF_PSEUDO_CALL && insn.imm != 0;
}

void add_calls(int program, std::uint64_t base, const Kallsyms& symbols, std::set<std::string>& names) {
  for (const auto& insn : instructions_of(program)) {
    if (!leaves_program(insn))
      continue;
    const auto symbol = symbols.resolve(base + static_cast<std::uint64_t>(std::int64_t{insn.imm}));
    // Not an address: newer kernels leave the id of some kfuncs there.
    if (symbol.offset == 0)
      names.insert(symbol.name);
  }
}

}  // namespace

Result<std::optional<std::uint32_t>> next_program(std::uint32_t id) {
  __u32 next = 0;
  if (!bpf_prog_get_next_id(id, &next))
    return std::optional<std::uint32_t>(next);
  const int err = errno;
  if (err == ENOENT)
    return std::optional<std::uint32_t>{};
  if (err == EPERM)
    return refuse(EPERM,
                  "list BPF programs: that takes CAP_SYS_ADMIN; without --filter-trace-tc, --filter-trace-xdp and "
                  "--filter-track-bpf-helpers it is not needed");
  return fail(err, "list BPF programs");
}

std::optional<ProgramKind> program_kind(std::uint32_t type) {
  switch (type) {
    case BPF_PROG_TYPE_SCHED_CLS: return ProgramKind::Tc;
    case BPF_PROG_TYPE_XDP: return ProgramKind::Xdp;
    default: return std::nullopt;
  }
}

std::vector<ProgramText> texts_of(int program) {
  const auto sizes = ask(program, {});
  if (!sizes)
    return {};
  std::vector<__u64> starts(sizes->nr_jited_ksyms);
  std::vector<__u32> lengths(sizes->nr_jited_func_lens);
  bpf_prog_info wanted{};
  wanted.nr_jited_ksyms = sizes->nr_jited_ksyms;
  wanted.jited_ksyms = address_of(starts);
  wanted.nr_jited_func_lens = sizes->nr_jited_func_lens;
  wanted.jited_func_lens = address_of(lengths);
  if (!ask(program, wanted))
    return {};
  std::vector<ProgramText> texts;
  for (std::size_t at = 0; at < std::min(starts.size(), lengths.size()); ++at)
    if (starts[at] != 0)
      texts.push_back({.start = starts[at], .end = starts[at] + lengths[at]});
  return texts;
}

Result<std::set<std::string>> functions_called_by(const std::set<ProgramKind>& kinds, const Kallsyms& symbols) {
  std::set<std::string> names;
  const auto bases = symbols.addresses(kCallBase);
  if (bases.size() != 1)
    return refuse(ENOTSUP,
                  "kallsyms does not have '" + std::string(kCallBase) + "', which calls of helpers are told by");
  for (auto id = TRY(next_program(0)); id; id = TRY(next_program(*id))) {
    // A program may go between two calls.
    const UniqueFd program{bpf_prog_get_fd_by_id(*id)};
    const auto info = program ? ask(program.get(), {}) : refuse(ENOENT, "");
    const auto kind = info ? program_kind(info->type) : std::nullopt;
    if (kind && kinds.contains(*kind))
      add_calls(program.get(), bases.front(), symbols, names);
  }
  return names;
}

}  // namespace skbtrail
