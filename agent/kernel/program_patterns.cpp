#include "kernel/program_patterns.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdlib>
#include <utility>

#include "kernel/program_tracing.h"
#include "patterns.skel.h"

namespace skbtrail {
namespace {

Result<> try_tracing(int program) {
  constexpr bpf_insn kNothing[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  const auto target = TRY(describe_program(program));
  (void)TRY(attach_to_program(target, BPF_TRACE_FENTRY, kNothing));
  return {};
}

}  // namespace

void ProgramPatterns::Destroy::operator()(patterns_bpf* raw) const {
  patterns_bpf::destroy(raw);
}

ProgramPatterns::ProgramPatterns(std::unique_ptr<patterns_bpf, Destroy> raw) : raw_(std::move(raw)) {}
ProgramPatterns::ProgramPatterns(ProgramPatterns&&) noexcept = default;
ProgramPatterns& ProgramPatterns::operator=(ProgramPatterns&&) noexcept = default;
ProgramPatterns::~ProgramPatterns() = default;

Result<ProgramPatterns> ProgramPatterns::load() {
  std::unique_ptr<patterns_bpf, Destroy> raw{patterns_bpf::open()};
  if (const int err = errno; !raw)
    return fail(err, "open the patterns of BPF programs");
  if (const int err = patterns_bpf::load(raw.get()))
    return fail(-err, "load the patterns of BPF programs");
  ProgramPatterns patterns{std::move(raw)};
  TRY(try_tracing(patterns.fd(ProgramKind::Tc)));
  return patterns;
}

int ProgramPatterns::fd(ProgramKind kind) const {
  switch (kind) {
    case ProgramKind::Tc: return bpf_program__fd(raw_->progs.skbtrail_tc);
    case ProgramKind::Xdp: return bpf_program__fd(raw_->progs.skbtrail_xdp);
  }
  std::abort();
}

std::string_view ProgramPatterns::function(ProgramKind kind) {
  switch (kind) {
    case ProgramKind::Tc: return "skbtrail_tc";
    case ProgramKind::Xdp: return "skbtrail_xdp";
  }
  std::abort();
}

}  // namespace skbtrail
