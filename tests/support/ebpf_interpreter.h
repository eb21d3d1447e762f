#pragma once
// A small eBPF interpreter for the code that the filter translator emits, stricter than a kernel at run time: it
// refuses a read of a register that was never written, any access outside the packet window and the scratch memory, and
// jumps that leave the code anywhere but at its end.

#include <linux/bpf.h>

#include <cstdint>
#include <span>

#include "base/result.h"
#include "support/filter_input.h"

namespace skbtrail::test {

// Runs `code` as the tracer would. The error names the instruction that did what it must not.
Result<std::uint64_t> interpret(std::span<const bpf_insn> code, const FilterInput& input);

}  // namespace skbtrail::test
