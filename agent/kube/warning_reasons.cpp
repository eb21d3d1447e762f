#include "kube/warning_reasons.h"

#include <algorithm>
#include <array>

namespace skbtrail {
namespace {

constexpr std::array<std::string_view, 31> kReasons = {
    "BPF_CGROUP_EGRESS", "CPU_BACKLOG",         "DEV_READY",      "FULL_RING",    "ICMP_CSUM",        "IP_CSUM",
    "IP_INADDRERRORS",   "IP_INNOROUTES",       "IP_OUTNOROUTES", "IP_RPFILTER",  "NEIGH_CREATEFAIL", "NEIGH_FAILED",
    "NEIGH_QUEUEFULL",   "NETFILTER_DROP",      "NOMEM",          "NO_TX_TARGET", "PKT_TOO_BIG",      "PROTO_MEM",
    "QDISC_DROP",        "QDISC_OVERLIMIT",     "SECURITY_HOOK",  "SKB_CSUM",     "SOCKET_BACKLOG",   "SOCKET_RCVBUFF",
    "TCP_CSUM",          "TCP_LISTEN_OVERFLOW", "TC_EGRESS",      "TC_INGRESS",   "UDP_CSUM",         "XDP",
    "XFRM_POLICY",
};
static_assert(std::ranges::is_sorted(kReasons));

}  // namespace

std::span<const std::string_view> warning_reasons() {
  return kReasons;
}

bool is_worth_warning(std::string_view subsystem, std::string_view reason) {
  return subsystem == "core" && std::ranges::binary_search(kReasons, reason);
}

}  // namespace skbtrail
