#include "kernel/features.h"

#include <linux/bpf.h>

#include <algorithm>
#include <ranges>
#include <string_view>
#include <utility>

#include "kernel/bpf_trial.h"
#include "kernel/capabilities.h"
#include "kernel/devlink_traps.h"
#include "kernel/drop_reasons.h"
#include "kernel/function_catalogue.h"
#include "kernel/kfunc_calls.h"
#include "kernel/skb_functions.h"

namespace skbtrail {
namespace {

constexpr std::string_view kNoFentryMulti = "the kernel does not know it (Linux 7.2 does)";
constexpr std::string_view kNothingToTry = "no attachable function to try it on";

Feature present() {
  return {.available = true, .why_not = {}};
}

Feature absent(std::string why) {
  return {.available = false, .why_not = std::move(why)};
}

Feature as_feature(const Result<>& trial) {
  return trial ? present() : absent(trial.error().message);
}

Feature from_types(bool available, std::string_view why_not) {
  return available ? present() : absent(std::string(why_not));
}

Feature fentry_multi(const btf& vmlinux, const std::optional<KernelFunction>& target) {
  const auto attach_type = fentry_multi_attach_type(vmlinux);
  if (!attach_type)
    return absent(std::string(kNoFentryMulti));
  if (!target)
    return absent(std::string(kNothingToTry));
  return as_feature(try_fentry_multi(*attach_type, target->btf_id));
}

Feature kprobe_multi(const std::optional<KernelFunction>& target) {
  if (!target)
    return absent(std::string(kNothingToTry));
  const auto trial = try_kprobe_multi(target->addresses.front());
  return trial ? present() : absent(why_no_kprobe_multi(trial.error()));
}

// Attaching one takes tens of milliseconds, so the kernel's offer and the right to arm one must do.
Feature kprobe(const HostRoot& host) {
  for (const std::string_view place : {"/sys/bus/event_source/devices/kprobe/type", "/sys/kernel/tracing/kprobe_events",
                                       "/sys/kernel/debug/tracing/kprobe_events"})
    if (host.exists(place)) {
      const auto trial = try_perf_event();
      return trial ? present() : absent(why_no_perf_event(trial.error()));
    }
  return absent("the kernel was built without CONFIG_KPROBE_EVENTS, or /sys is not visible here");
}

Feature device_traps() {
  const auto devlink = DevlinkTraps::open();
  if (!devlink)
    return absent(devlink.error().code == ENOENT ? "the kernel was built without devlink" : devlink.error().message);
  const auto traps = devlink->read();
  if (!traps)
    return absent(traps.error().message);
  return from_types(!traps->empty(), "no device here has any");
}

std::string release(const HostRoot& host) {
  auto text = host.read("/proc/sys/kernel/osrelease");
  if (!text)
    return "unknown";
  text->erase(std::min(text->find('\n'), text->size()));
  return std::move(*text);
}

}  // namespace

std::optional<KernelFunction> trial_function(const FunctionCatalogue& catalogue) {
  // The last ones (xfrm, ...) are seldom called.
  for (const KernelFunction& function : catalogue.attachable | std::views::reverse)
    if (!fentry_multi_refusal(function))
      return function;
  return std::nullopt;
}

std::string why_no_kprobe_multi(const Error& error) {
  switch (error.code) {
    case EOPNOTSUPP: return "the kernel was built without CONFIG_FPROBE";
    case EINVAL: return "the kernel does not know it (Linux 5.18 does)";
    default: return error.message;
  }
}

// Debian's kernels ask for more than CAP_PERFMON where kernel.perf_event_paranoid is 3, their default.
std::string why_no_perf_event(const Error& error) {
  if (error.code != EACCES && error.code != EPERM)
    return error.message;
  return "perf events are forbidden here; CAP_SYS_ADMIN is needed, or sysctl -w kernel.perf_event_paranoid=2";
}

Feature netns_cookie_feature(const btf& vmlinux) {
  const int id = btf__find_by_name_kind(&vmlinux, "net", BTF_KIND_STRUCT);
  const btf_type* net = id < 0 ? nullptr : btf__type_by_id(&vmlinux, id);
  for (std::size_t i = 0; net && i < btf_vlen(net); ++i) {
    const auto& member = btf_members(net)[i];
    if (std::string_view(btf__name_by_offset(&vmlinux, member.name_off)) != "net_cookie")
      continue;
    // 5.7 to 5.11 hold an atomic64_t here that stays zero until somebody asks; 5.12, 3d368ab87cf6, fills it at birth.
    const int type = btf__resolve_type(&vmlinux, member.type);
    const btf_type* resolved = type < 0 ? nullptr : btf__type_by_id(&vmlinux, type);
    return from_types(resolved && btf_is_int(resolved),
                      "the kernel sets net_cookie only when asked (5.12 sets it always)");
  }
  return absent("struct net has no net_cookie (Linux 5.12 has)");
}

std::optional<std::uint32_t> fentry_multi_attach_type(const btf& vmlinux) {
  const int id = btf__find_by_name_kind(&vmlinux, "bpf_attach_type", BTF_KIND_ENUM);
  const btf_type* type = id < 0 ? nullptr : btf__type_by_id(&vmlinux, id);
  for (std::size_t i = 0; type && i < btf_vlen(type); ++i) {
    const auto& value = btf_enum(type)[i];
    if (std::string_view(btf__name_by_offset(&vmlinux, value.name_off)) == "BPF_TRACE_FENTRY_MULTI")
      return static_cast<std::uint32_t>(value.val);
  }
  return std::nullopt;
}

KernelFeatures probe_features(const HostRoot& host, const btf& vmlinux, const std::optional<KernelFunction>& target) {
  KernelFeatures features = features_by_types(host, vmlinux);
  features.fentry_multi = fentry_multi(vmlinux, target);
  features.kprobe_multi = kprobe_multi(target);
  features.device_traps = device_traps();
  features.fentry = target ? as_feature(try_fentry(target->btf_id)) : absent(std::string(kNothingToTry));
  return features;
}

KernelFeatures features_by_types(const HostRoot& host, const btf& vmlinux) {
  const KfreeSkbArguments drop = kfree_skb_arguments(vmlinux);
  const bool kprobe_multi = has_function(vmlinux, "register_fprobe_ips");
  // The attach type stands in every kernel's types, the code only where the architecture has it (x86-64 in 7.2).
  const bool fentry_multi =
      fentry_multi_attach_type(vmlinux).has_value() && has_function(vmlinux, "bpf_trampoline_multi_attach");
  return {
      .release = release(host),
      .ring_buffer = as_feature(try_ring_buffer()),
      .fentry_multi = from_types(fentry_multi, kNoFentryMulti),
      .kprobe_multi = from_types(kprobe_multi, why_no_kprobe_multi({EOPNOTSUPP, {}})),
      .kprobe = kprobe(host),
      .fentry = from_types(has_function(vmlinux, "bpf_trampoline_link_prog"), "the kernel has no BPF trampolines"),
      .kprobe_session =
          from_types(kprobe_multi && session_kfuncs(vmlinux), "the kernel does not know it (Linux 6.10 does)"),
      .function_ip = as_feature(try_kprobe_helper(BPF_FUNC_get_func_ip)),
      .attach_cookie = as_feature(try_kprobe_helper(BPF_FUNC_get_attach_cookie)),
      .netns_cookie = netns_cookie_feature(vmlinux),
      .drop_reasons = from_types(drop.reason, "the kfree_skb tracepoint has no reason (Linux 5.17 has)"),
      .drop_socket = from_types(drop.rx_socket, "the kfree_skb tracepoint has no socket (Linux 6.11 has)"),
      .device_traps = {},
      .missing_capabilities = read_missing_capabilities(host),
  };
}

KernelFeatures probe_features_without_types(const HostRoot& host) {
  const BtfPtr nothing{btf__new_empty()};
  return probe_features(host, *nothing, std::nullopt);
}

}  // namespace skbtrail
