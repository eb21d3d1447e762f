#pragma once
// What the sources of pod identity found out, each a value; build_pod_index() joins them.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "model/packet_event.h"
#include "model/pod.h"

namespace skbtrail {

// From the container runtime: one pod sandbox. It counts from its creation, before the first app container.
struct Sandbox {
  std::shared_ptr<const Pod> pod = {};
  std::string id = {};
  std::uint32_t netns_inum = 0;           // 0: not known (yet)
  std::uint64_t netns_cookie = 0;         // 0: not known; before Linux 5.14 there is none
  std::vector<IpAddress> addresses = {};  // empty for pods of the host's network
  std::vector<std::string> container_ids = {};
  bool ready = true;
  std::int64_t created_ns = 0;  // since the Unix epoch, by the runtime's clock; 0: not known
  // The network namespace, held open so that its inode is not reused, and to enter it; null: not known, or given up.
  std::shared_ptr<const UniqueFd> netns = {};
  std::optional<std::chrono::steady_clock::time_point> gone_since = {};  // tombstone: deleted, still named for 60 s
};

// From rtnetlink: one interface of one network namespace.
struct Interface {
  std::uint32_t netns_inum = 0;
  std::uint32_t ifindex = 0;
  std::string name;
  std::string kind = {};              // IFLA_INFO_KIND: "veth", "ipvlan", "macvlan", "bridge"…; empty: a device
  std::uint32_t link_ifindex = 0;     // IFLA_LINK: the other end of a veth, the parent of an ipvlan; 0: none
  std::uint32_t link_netns_inum = 0;  // where that is, by IFLA_LINK_NETNSID; 0: not known
};

// From the cgroup tree: one cgroup that belongs to a container of a pod, or to the pod itself.
struct PodCgroup {
  std::uint64_t cgroup_id = 0;    // its inode in cgroup2, what bpf_get_current_cgroup_id() returns
  std::string pod_uid = {};       // with dashes; empty: the path did not say
  std::string container_id = {};  // empty: the cgroup of the pod
};

}  // namespace skbtrail
