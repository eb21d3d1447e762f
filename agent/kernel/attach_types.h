#pragma once
// Values of the kernel's enum bpf_attach_type that older headers do not have.

#include <cstdint>

namespace skbtrail {

inline constexpr std::uint32_t kTraceKprobeSession = 56;  // BPF_TRACE_KPROBE_SESSION, v6.10
inline constexpr std::uint32_t kTraceFentryMulti = 59;    // BPF_TRACE_FENTRY_MULTI, v7.2

}  // namespace skbtrail
