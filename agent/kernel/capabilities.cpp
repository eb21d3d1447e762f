#include "kernel/capabilities.h"

#include <linux/capability.h>

#include <charconv>

namespace skbtrail {
namespace {

struct Needed {
  unsigned number;
  std::string_view name;
  std::string_view lost;
};

constexpr Needed kNeeded[] = {
    {CAP_BPF, "CAP_BPF", "no BPF program or map can be loaded: no tracing"},
    {CAP_PERFMON, "CAP_PERFMON", "no probe can be attached and no kernel memory read: no tracing"},
    {CAP_SYSLOG, "CAP_SYSLOG", "kernel addresses stay hidden: functions and drop locations cannot be found or named"},
    {CAP_NET_ADMIN, "CAP_NET_ADMIN",
     "BPF programs of TC and XDP cannot be traced, which takes CAP_SYS_ADMIN; kernel functions can"},
};

// Before 5.8 (2c78ee898d8f, 980737282232) one capability stood for these.
constexpr Needed kNeededBefore58[] = {
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "no BPF program can be loaded or attached: no tracing (a kernel before 5.8)"},
    {CAP_SYSLOG, "CAP_SYSLOG", "kernel addresses stay hidden: functions and drop locations cannot be found or named"},
};

constexpr Needed kNeededForPods[] = {
    {CAP_NET_ADMIN, "CAP_NET_ADMIN", "a link that a pod gets after the runtime has told of it has no pod"},
    {CAP_NET_BROADCAST, "CAP_NET_BROADCAST", "changes of the interfaces of pods are seen every 5 s only"},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
     "pods whose runtime names no path of their network namespace are known by the processes in their cgroups alone"},
};

constexpr std::uint64_t bit(unsigned number) {
  return std::uint64_t{1} << number;
}

// The kernel takes CAP_SYS_ADMIN where CAP_BPF, CAP_PERFMON or CAP_NET_ADMIN of BPF are asked for, and for syslog.
bool has(std::uint64_t effective, unsigned number) {
  return (effective & (bit(number) | bit(CAP_SYS_ADMIN))) != 0;
}

std::uint64_t number_at(std::string_view text, int base) {
  std::uint64_t value = 0;
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

std::uint64_t read_effective(const HostRoot& host) {
  const auto status = host.read("/proc/self/status");
  return status ? effective_capabilities(*status) : 0;
}

}  // namespace

std::vector<MissingCapability> missing_capabilities(std::uint64_t effective, unsigned last) {
  std::vector<MissingCapability> missing;
  const auto look = [&](const auto& needed) {
    for (const Needed& one : needed)
      if (!has(effective, one.number))
        missing.push_back({.name = std::string(one.name), .lost = std::string(one.lost)});
  };
  if (last < CAP_BPF)
    look(kNeededBefore58);
  else
    look(kNeeded);
  return missing;
}

std::uint64_t effective_capabilities(std::string_view status) {
  constexpr std::string_view kLine = "CapEff:";
  const auto line = status.find(kLine);
  return line == std::string_view::npos ? 0 : number_at(status.substr(line + kLine.size()), 16);
}

std::vector<MissingCapability> read_missing_capabilities(const HostRoot& host) {
  const auto last = host.read("/proc/sys/kernel/cap_last_cap");
  return missing_capabilities(read_effective(host), last ? static_cast<unsigned>(number_at(*last, 10)) : CAP_LAST_CAP);
}

std::vector<MissingCapability> missing_pod_capabilities(std::uint64_t effective) {
  std::vector<MissingCapability> missing;
  for (const Needed& one : kNeededForPods)
    if ((effective & bit(one.number)) == 0)
      missing.push_back({.name = std::string(one.name), .lost = std::string(one.lost)});
  return missing;
}

std::vector<MissingCapability> read_missing_pod_capabilities(const HostRoot& host) {
  return missing_pod_capabilities(read_effective(host));
}

}  // namespace skbtrail
