#include "sink/normal_end.h"

#include <algorithm>
#include <array>

namespace skbtrail {
namespace {

// By name: numbers differ between kernels.
constexpr std::array<std::string_view, 7> kNormalEnds = {
    "NOT_DROPPED_YET", "SKB_NOT_DROPPED_YET", "CONSUMED",        "SKB_CONSUMED",
    "SOCKET_CLOSE",    "QUEUE_PURGE",         "UNIX_DISCONNECT",
};

// Where echo replies end that found no ping socket. Raw sockets, those of most ping programs, were given theirs before.
constexpr std::array<std::string_view, 3> kEchoReplies = {"ping_rcv", "icmp_rcv", "icmpv6_rcv"};

}  // namespace

bool is_normal_end(const DropReasonName& reason, std::string_view location) {
  if (reason.subsystem != "core")
    return false;
  // Before v6.3 all ICMPv6 messages end so, neighbour discovery included, however well they were handled.
  if (reason.name == "NOT_SPECIFIED")
    return location == "icmpv6_rcv";
  if (reason.name == "NO_SOCKET")
    return std::ranges::find(kEchoReplies, location) != kEchoReplies.end();
  return std::ranges::find(kNormalEnds, reason.name) != kNormalEnds.end();
}

}  // namespace skbtrail
