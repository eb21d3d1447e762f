#pragma once
// KernelFeatures: what this kernel and these privileges offer a tracer, found by trying and never by version number.

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skbtrail {

// How probes are attached, best first.
enum class Backend : std::uint8_t { FentryMulti, KprobeMulti, Kprobe };

constexpr std::string_view backend_name(Backend backend) {
  switch (backend) {
    case Backend::FentryMulti: return "fentry.multi";
    case Backend::KprobeMulti: return "kprobe.multi";
    case Backend::Kprobe: return "kprobe";
  }
  std::abort();
}

// Also takes pwru's spelling, "kprobe-multi".
constexpr std::optional<Backend> backend_from_name(std::string_view name) {
  if (name == "fentry.multi" || name == "fentry-multi")
    return Backend::FentryMulti;
  if (name == "kprobe.multi" || name == "kprobe-multi")
    return Backend::KprobeMulti;
  if (name == "kprobe")
    return Backend::Kprobe;
  return std::nullopt;
}

struct Feature {
  bool available = false;
  std::string why_not;  // empty when available; one sentence without a full stop
  friend bool operator==(const Feature&, const Feature&) = default;
};

struct MissingCapability {
  std::string name;  // "CAP_BPF"
  std::string lost;  // what does not work without it
  friend bool operator==(const MissingCapability&, const MissingCapability&) = default;
};

// Releases in comments say which kernel brought a feature; distributions differ, so nothing here trusts them.
struct KernelFeatures {
  std::string release;     // uname -r; to show, never to decide
  Feature ring_buffer;     // 5.8; the tracer cannot do without
  Feature fentry_multi;    // 7.2: one BPF trampoline link for a set of functions
  Feature kprobe_multi;    // 5.18 with CONFIG_FPROBE, which Debian's 6.1 leaves off
  Feature kprobe;          // CONFIG_KPROBES
  Feature fentry;          // 5.5: one BPF trampoline per function
  Feature kprobe_session;  // 6.10: one program at entry and return of a set of functions
  Feature function_ip;     // 5.15: bpf_get_func_ip in kprobes; before, the instruction pointer must do
  Feature attach_cookie;   // 5.15: bpf_get_attach_cookie
  Feature netns_cookie;    // 5.12: struct net carries a plain u64 net_cookie
  Feature drop_reasons;    // 5.17: the kfree_skb tracepoint says why
  Feature drop_socket;     // 6.11: the kfree_skb tracepoint names the receiving socket
  Feature device_traps;    // 5.4: devlink tells what devices drop; a matter of the devices, too
  std::vector<MissingCapability> missing_capabilities;
  friend bool operator==(const KernelFeatures&, const KernelFeatures&) = default;
};

}  // namespace skbtrail
