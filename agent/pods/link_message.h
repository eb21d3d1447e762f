#pragma once
// What rtnetlink says about interfaces and the numbers of namespaces: bytes to values, believing none of them. Pure.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

namespace skbtrail {

// RTM_NEWLINK: one interface, as its namespace has it.
struct LinkMessage {
  std::uint32_t ifindex = 0;
  std::string name = {};
  std::string kind = {};                       // IFLA_INFO_KIND; empty: a device
  std::uint32_t link_ifindex = 0;              // IFLA_LINK; 0: none
  std::optional<std::int32_t> link_nsid = {};  // IFLA_LINK_NETNSID; absent: in the same namespace
  friend bool operator==(const LinkMessage&, const LinkMessage&) = default;
};

enum class NetlinkKind : std::uint8_t {
  Link,      // RTM_NEWLINK, RTM_DELLINK
  NsidGone,  // RTM_DELNSID: a namespace died, or lost its number
  Nsid,      // RTM_NEWNSID: also the answer to RTM_GETNSID
  Failed,    // NLMSG_ERROR with an errno value
  Done,      // end of a list, or success
  Other,
};

struct NetlinkMessage {
  NetlinkKind kind = NetlinkKind::Other;
  std::uint32_t sequence = 0;
  bool interrupted = false;               // NLM_F_DUMP_INTR: the list changed while it was read, ask again
  int error = 0;                          // Failed only: positive errno value
  std::optional<std::int32_t> nsid = {};  // Nsid and NsidGone; -1: the namespace has no number
  std::optional<LinkMessage> link = {};   // Link, when it was RTM_NEWLINK and could be read
};

// Calls `take` for each message of one datagram, in order. EBADMSG: a message is cut off or lies about its size; those
// before it were taken.
Result<> read_netlink(std::span<const std::byte> datagram, const std::function<void(const NetlinkMessage&)>& take);

}  // namespace skbtrail
