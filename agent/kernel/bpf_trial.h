#pragma once
// Trials: load or attach something tiny, see whether the kernel takes it, and take it away again.
// A trial on a traced function lasts milliseconds and its program does nothing.

#include <cstdint>

#include "base/result.h"

namespace skbtrail {

Result<> try_ring_buffer();
// A kprobe program that calls one helper with its context; the number is that of enum bpf_func_id.
Result<> try_kprobe_helper(std::int32_t helper);
// A kprobe program that reads kernel memory.
Result<> try_kernel_read();
Result<> try_kprobe_multi(std::uint64_t address);
// Opens a perf event that counts nothing, for all tasks of one CPU: what arms a single kprobe.
Result<> try_perf_event();
Result<> try_fentry(std::uint32_t btf_id);
// `attach_type` is the kernel's number for BPF_TRACE_FENTRY_MULTI, which our headers do not know yet.
Result<> try_fentry_multi(std::uint32_t attach_type, std::uint32_t btf_id);

}  // namespace skbtrail
