#pragma once
// Computation → eBPF instructions, which are spliced over a pad of the tracer's BPF program.
//
// Calling convention of the emitted code. On entry:
//   r1  kernel address of the root, as a plain number
//   r2  working memory: a map value of TRACE_EXPRESSION_SCRATCH bytes with any content; for values a struct
//       trace_values lies behind it
//   r3  a copy of the root's first TRACE_SKB_COPY_BYTES bytes in readable memory, if GeneratorOptions say so
// On exit r0 is the verdict of a filter, 0 or 1; for values it has no meaning. r1 to r9 are lost; the stack is not
// used. Control leaves by falling off, or jumping to, the end of the code.

#include <linux/bpf.h>

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "filter/computation.h"

namespace skbtrail {

// Room that the BPF program reserves for the filter, and for all values together.
inline constexpr std::size_t kExpressionPadInstructions = 2048;

struct GeneratorOptions {
  bool has_copy = false;  // r3 is there
};

// A number other than 0 is a match. A read that fails makes it no match, whatever the rest says.
Result<std::vector<bpf_insn>> generate_filter(const Computation& computation, const GeneratorOptions& options);

// Writes each value into struct trace_values and marks it as valid; one whose read fails stays invalid.
// Precondition: at most TRACE_VALUES computations.
Result<std::vector<bpf_insn>> generate_values(std::span<const ComputationPtr> computations,
                                              const GeneratorOptions& options);

}  // namespace skbtrail
