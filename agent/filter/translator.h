#pragma once
// Classic BPF → eBPF instructions that are spliced over the filter pad of the tracer's BPF program.
//
// Calling convention of the emitted code. On entry:
//   r1  the packet window: a map value of TRACE_WINDOW_BYTES readable bytes whose byte 0 is the packet's offset 0;
//       min(linear length, TRACE_WINDOW_BYTES) of them are the packet's
//   r2  scratch memory: a map value of TRACE_FILTER_SCRATCH bytes, 8-byte aligned, with any content
//   r3  the packet's whole length
//   r4  its linear length: bytes that can be read without touching fragments
//   r5  kernel address of offset 0, as a plain number
// r3 and r4 have their upper halves clear. Loads behind the window use bpf_probe_read_kernel; loads behind the linear
// length, and those that the kernel cannot serve, reject the packet, as classic BPF does past the end of a packet.
// On exit r0 is the verdict: what classic BPF returns, 0 for no match. r1 to r9 are lost; the stack is not used.
// Control leaves by falling off, or jumping to, the end of the code: what follows the pad follows it.

#include <linux/bpf.h>
#include <linux/filter.h>

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"

namespace skbtrail {

// Room that the BPF program reserves for one form of the filter.
inline constexpr std::size_t kFilterPadInstructions = 4096;

Result<std::vector<bpf_insn>> translate(std::span<const sock_filter> program);

}  // namespace skbtrail
