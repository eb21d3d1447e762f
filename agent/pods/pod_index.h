#pragma once
// PodIndex: which pod a network namespace, an interface, a cgroup or an address belongs to. One immutable snapshot:
// made by build_pod_index() from facts, published whole, read without a lock by any thread that holds it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/packet_event.h"
#include "model/pod.h"
#include "model/scope_place.h"
#include "pods/facts.h"

namespace skbtrail {

// Where a packet was met; 0: not known.
struct PacketPlace {
  std::uint32_t netns_inum = 0;
  std::uint64_t netns_cookie = 0;
  std::uint32_t ifindex = 0;
  std::uint64_t cgroup_id = 0;
};

enum class PodAnswer : std::uint8_t {
  Pod,      // known
  Host,     // the node's own namespace and no pod's interface or socket
  Unknown,  // a namespace that the index does not know (yet)
};

struct PodFound {
  PodAnswer answer = PodAnswer::Unknown;
  PodAt at = {};
};

// An address that only one pod has, and the namespace of that pod.
struct PodAddress {
  IpAddress address;
  std::uint32_t netns_inum = 0;
};

class PodIndex final {
public:
  // An interface of the host that leads to a pod answers with that pod and PodSide::Host; then the network namespace,
  // by cookie before inum; then the cgroup, for packets with a socket of the host's namespace, or of one that no pod
  // has (a container's own). A namespace that several pods share answers with the pod of the cgroup if that is one of
  // them, else with the one whose sandbox is the oldest of the best state: ready, stopped, deleted.
  PodFound find(const PacketPlace& place) const;
  // Whether an answer of Host is final: false on the node's end of a link of which it is not known yet where it leads.
  bool is_settled(const PacketPlace& place) const;
  // Whether a pod is on its way in this namespace, or may be behind this link of the node's.
  bool is_awaited(const PacketPlace& place) const;
  // Of this node's pods; null: none has this address, or more than one (overlapping ranges cannot be told apart).
  // An address of a pod that is ready is no longer that of one that is stopped or deleted.
  const Pod* by_address(const IpAddress& address) const;
  // All that by_address() answers for, of pods whose namespace is known; in no order.
  std::vector<PodAddress> addresses() const;
  // Each pod once, tombstones included, by namespace and name.
  std::span<const std::shared_ptr<const Pod>> pods() const { return pods_; }
  // Where packets of the pods that are wanted are met: their namespaces, the node's ends of their links, and of pods of
  // the host's network the cgroups of their sockets. A namespace that pods share is wanted when one of them is.
  std::set<ScopePlace> places_of(const std::function<bool(const Pod&)>& wanted) const;

private:
  friend class PodIndexBuilder;

  struct Netns {
    const Pod* pod = nullptr;
    std::uint64_t cookie = 0;                // 0: not known
    std::vector<const Pod*> shared_by = {};  // every pod of it, when there is more than one
  };
  struct Link {
    std::uint32_t netns_inum = 0;
    std::uint32_t ifindex = 0;
    friend bool operator==(const Link&, const Link&) = default;
  };
  struct LinkHash {
    std::size_t operator()(const Link& link) const {
      return std::hash<std::uint64_t>{}(std::uint64_t{link.netns_inum} << 32 | link.ifindex);
    }
  };
  struct Holder {
    const Pod* pod = nullptr;  // null: several pods have it
    std::uint32_t netns_inum = 0;
  };
  struct AddressHash {
    std::size_t operator()(const IpAddress& address) const;
  };

  const Netns* netns_of(const PacketPlace& place) const;
  const Pod* pod_of_cgroup(std::uint64_t cgroup_id) const;

  std::uint32_t host_netns_inum_ = 0;
  std::vector<std::shared_ptr<const Pod>> pods_;
  std::unordered_map<std::uint32_t, Netns> by_inum_;
  std::unordered_map<std::uint64_t, std::uint32_t> inum_by_cookie_;
  std::unordered_map<Link, const Pod*, LinkHash> host_ends_;
  std::unordered_set<std::uint32_t> settled_links_;  // of the node; empty: its interfaces are not known at all
  std::unordered_set<std::uint32_t> awaited_;        // namespaces
  bool awaits_links_ = false;  // of a pod that is on its way, or known for a moment: its interfaces are not listed yet
  std::unordered_map<std::uint64_t, const Pod*> by_cgroup_;
  std::unordered_map<IpAddress, Holder, AddressHash> by_address_;
};

// Sandboxes, interfaces and cgroups in any order; the answers depend on the values alone. `awaited`: inode numbers of
// namespaces in which a pod is on its way.
std::shared_ptr<const PodIndex> build_pod_index(std::uint32_t host_netns_inum, std::span<const Sandbox> sandboxes,
                                                std::span<const Interface> interfaces,
                                                std::span<const PodCgroup> cgroups,
                                                std::span<const std::uint32_t> awaited = {});

}  // namespace skbtrail
