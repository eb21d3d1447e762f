#pragma once
// TracerSettings: what of the tracer's BPF object is decided before load. The verifier prunes what is off.

#include <linux/bpf.h>

#include <cstdint>
#include <set>
#include <vector>

#include "kernel/kfunc_calls.h"
#include "model/traced_program.h"

struct btf;

namespace skbtrail {

class ProgramPatterns;

// How far behind the start of its function a kprobe finds the instruction pointer: on x86-64 the byte of its int3.
#if defined(__x86_64__)
inline constexpr std::uint32_t kIpSkip = 1;
#else
inline constexpr std::uint32_t kIpSkip = 0;
#endif

struct TracerSettings {
  bool has_func_ip = true;
  bool has_drop_reason = false;
  const btf* kernel_types = nullptr;        // to relocate against; needed until the object is loaded
  SessionKfuncs session = {};               // for plans with MoveBackend::Session
  std::uint32_t kprobe_ip_shift = kIpSkip;  // bytes; used without has_func_ip
  std::vector<bpf_insn> filter_l2 = {};     // empty: every packet matches
  std::vector<bpf_insn> filter_l3 = {};     // empty: the expression needs a link layer
  std::vector<bpf_insn> tunnel_l2 = {};     // empty: whatever frame a tunnel carries matches
  std::vector<bpf_insn> tunnel_l3 = {};     // empty: whatever IP packet a tunnel carries matches
  std::vector<bpf_insn> field_filter = {};  // empty: none
  std::vector<bpf_insn> values = {};        // empty: none
  std::vector<bpf_insn> xdp_filter = {};    // field filter of packets at XDP programs; empty: none
  std::vector<bpf_insn> xdp_values = {};    // empty: none
  std::uint32_t netns_inum = 0;             // 0: any
  std::uint32_t ifindex = 0;                // 0: any
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0;  // 0: any mark
  bool only_pods = false;       // only what set_scope() names, which at first is nothing
  bool helpers = false;         // tell of functions that traced BPF programs call
  bool track_stack = false;     // see bpf/include/handled.h
  // Address of the kernel's array of that name; 0: what each CPU has of its own in a hash table is not read.
  std::uint64_t per_cpu_offsets = 0;
  bool capture_tuple = true;
  bool capture_cgroup = false;
  bool capture_caller = false;
  bool capture_stack = false;
  bool capture_skb = false;     // a copy of the struct sk_buff in each record
  bool capture_shared = false;  // a copy of its skb_shared_info
  std::uint32_t snaplen = 0;    // packet bytes in each record; a multiple of 8, at most TRACE_MAX_SNAPLEN
  bool has_budget = false;
  std::set<ProgramKind> programs = {};        // BPF programs of these kinds are traced
  const ProgramPatterns* patterns = nullptr;  // for these; needed until the object is loaded
  bool follow_packets = true;                 // off for drops only: each drop is a packet of its own
  std::uint32_t ring_bytes = 16U << 20;       // a power of two, at least a page
  std::uint32_t max_packets = 16384;          // followed at once
};

}  // namespace skbtrail
