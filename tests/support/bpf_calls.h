#pragma once
// bpf(2) as tests need it: an array map of one value, and raw tracepoint programs on it that are run on demand.

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace skbtrail::test {

Result<UniqueFd> create_memory(std::size_t bytes);
Result<> write_memory(const UniqueFd& memory, const void* value);
Result<> read_memory(const UniqueFd& memory, void* value);

// Looks up the one value of `memory`, runs `entry` with r0 pointing to it, then `body`; whatever reaches the end of
// `body` returns r0.
std::vector<bpf_insn> program_on(const UniqueFd& memory, std::span<const bpf_insn> entry,
                                 std::span<const bpf_insn> body);

// The error holds the end of the verifier's log.
Result<UniqueFd> load_raw_tracepoint(std::span<const bpf_insn> program);
// What the program returns. ENOTSUP where the kernel cannot run such a program on demand.
Result<std::uint32_t> run_program(const UniqueFd& program);

}  // namespace skbtrail::test
