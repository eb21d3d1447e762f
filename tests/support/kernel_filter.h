#pragma once
// KernelFilter: translated code inside a small raw tracepoint program of the running kernel, where its verifier judges
// it and BPF_PROG_TEST_RUN runs it on packets.

#include <linux/bpf.h>

#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "support/filter_input.h"

namespace skbtrail::test {

class KernelFilter {
public:
  // Longest packet that run() takes.
  static constexpr std::size_t kPacketBytes = 2048;

  // May this process load such programs at all? The error says what it lacks.
  static Result<> available();

  // The error holds the end of the verifier's log.
  static Result<KernelFilter> load(std::span<const bpf_insn> code);

  // The verdict. ENOTSUP where the kernel cannot run a raw tracepoint program on demand.
  Result<std::uint32_t> run(const FilterInput& input) const;

private:
  KernelFilter(UniqueFd memory, UniqueFd program) : memory_(std::move(memory)), program_(std::move(program)) {}

  UniqueFd memory_;
  UniqueFd program_;
};

}  // namespace skbtrail::test
