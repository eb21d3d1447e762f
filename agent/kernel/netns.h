#pragma once
// Network namespaces and interfaces as a user names them, looked up on the host.

#include <cstdint>
#include <string>

#include "base/result.h"
#include "kernel/host_root.h"

namespace skbtrail {

struct NetnsRef {
  std::uint32_t inum = 0;
  std::string path;  // a file of nsfs; empty when only the number is known
};

// `text` is a path ("/proc/42/ns/net", "/run/netns/blue"), a name of `ip netns` ("blue"), or "inode:4026532165".
Result<NetnsRef> find_netns(const HostRoot& host, const std::string& text);

// Index of `ifname` in `netns` (own namespace when its inum is 0).
Result<std::uint32_t> find_ifindex(const HostRoot& host, const NetnsRef& netns, const std::string& ifname);

}  // namespace skbtrail
