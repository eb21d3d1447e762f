#pragma once
// The two steps of tracing one BPF program of somebody else: what the kernel tells of it, and a program at its entry or
// exit.

#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace skbtrail {

struct ProgramTarget {
  int fd = -1;  // of the program; borrowed
  std::uint32_t id = 0;
  std::uint32_t function = 0;   // BTF id of its main function, in its own types
  std::string name = {};        // the whole of it; the kernel's own is cut
  std::uint32_t arguments = 1;  // words before the return value, as a program at its exit sees them
};

// ENOTSUP: it has no types.
Result<ProgramTarget> describe_program(int program);

// The link. `edge` is BPF_TRACE_FENTRY or BPF_TRACE_FEXIT. The error says what the kernel says.
Result<UniqueFd> attach_to_program(const ProgramTarget& target, bpf_attach_type edge, std::span<const bpf_insn> code);

}  // namespace skbtrail
