#pragma once
// The kernel functions (kfuncs) that our programs call. In the object an instruction names each; the call is written
// over it with the BTF id that the running kernel gives the function. libbpf 1.1 would do that itself only where the
// declaration has the very arguments of the kernel, and these have changed (CALL_KFUNC in bpf/include/kernel_compat.h).

#include <bpf/btf.h>
#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <span>

namespace skbtrail {

// What a kprobe.session program (6.10) needs; BTF ids of the running kernel.
struct SessionKfuncs {
  std::uint32_t is_return = 0;
  std::uint32_t cookie = 0;
};

// Nothing on kernels without kprobe.session. `vmlinux` must describe the running kernel.
std::optional<SessionKfuncs> session_kfuncs(const btf& vmlinux);

// Returns how many calls were written.
std::size_t write_session_calls(std::span<bpf_insn> program, const SessionKfuncs& kfuncs);

}  // namespace skbtrail
