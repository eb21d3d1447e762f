#include "pods/pod_index.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace skbtrail {
namespace {

// Which sandbox speaks for a namespace or an address that several have: the lowest.
enum class Claim : std::uint8_t { Ready, Stopped, Deleted };

Claim claim_of(const Sandbox& sandbox) {
  if (sandbox.gone_since)
    return Claim::Deleted;
  return sandbox.ready ? Claim::Ready : Claim::Stopped;
}

// The oldest of the best: a namespace belongs to whom it was made for; others joined it later. Of the deleted ones the
// last to go, since its packets are the latest. The id makes the order total, so that it is no accident of the list.
auto rank_of(const Sandbox& sandbox) {
  const auto gone = sandbox.gone_since ? -sandbox.gone_since->time_since_epoch().count() : 0;
  return std::tuple(claim_of(sandbox), gone, sandbox.created_ns, std::string_view(sandbox.id));
}

bool in_host_netns(const Sandbox& sandbox, std::uint32_t host_netns_inum) {
  return sandbox.pod->host_network || sandbox.netns_inum == host_netns_inum;
}

// Whose IFLA_LINK is the other end of the same wire. Of an ipvlan or a macvlan it is the node's own device.
bool has_peer(const Interface& interface) {
  return interface.kind == "veth" || interface.kind == "netkit";
}

// IPv4 uses the first four bytes; whatever is behind them is no part of the address.
IpAddress without_padding(const IpAddress& address) {
  IpAddress clean{.version = address.version};
  std::copy_n(address.bytes, address.version == 4 ? 4 : std::size(address.bytes), clean.bytes);
  return clean;
}

}  // namespace

class PodIndexBuilder final {
public:
  PodIndexBuilder(std::uint32_t host_netns_inum, std::span<const Sandbox> sandboxes) {
    index_.host_netns_inum_ = host_netns_inum;
    for (const Sandbox& sandbox : sandboxes)
      if (sandbox.pod)
        ranked_.push_back(&sandbox);
    std::ranges::sort(ranked_, {}, [](const Sandbox* sandbox) { return rank_of(*sandbox); });
  }

  void add_pods() {
    std::map<std::tuple<std::string_view, std::string_view, std::string_view>, std::shared_ptr<const Pod>> sorted;
    for (const Sandbox* sandbox : ranked_) {
      const Pod& pod = *sandbox->pod;
      // A pod whose sandbox was made anew is one pod, and one object.
      const auto& kept = sorted.try_emplace({pod.namespace_name, pod.name, pod.uid}, sandbox->pod).first->second;
      pod_of_sandbox_.emplace(sandbox, kept.get());
    }
    for (auto& [key, pod] : sorted)
      index_.pods_.push_back(std::move(pod));
  }

  void add_namespaces() {
    for (const Sandbox* sandbox : ranked_)
      if (sandbox->netns_inum != 0 && !in_host_netns(*sandbox, index_.host_netns_inum_))
        add_netns(*sandbox);
  }

  void add_addresses() {
    std::unordered_map<IpAddress, Claim, PodIndex::AddressHash> held;
    for (const Sandbox* sandbox : ranked_) {
      if (in_host_netns(*sandbox, index_.host_netns_inum_))
        continue;
      for (const IpAddress& dirty : sandbox->addresses) {
        const IpAddress address = without_padding(dirty);
        const Pod* pod = pod_of_sandbox_.at(sandbox);
        const auto claim = held.try_emplace(address, claim_of(*sandbox)).first->second;
        const auto [entry, added] =
            index_.by_address_.try_emplace(address, PodIndex::Holder{.pod = pod, .netns_inum = sandbox->netns_inum});
        if (!added && entry->second.pod != pod && claim == claim_of(*sandbox))
          entry->second = {};
      }
    }
  }

  // Each end of a wire tells of the other; either may be known first.
  void add_host_ends(std::span<const Interface> interfaces) {
    for (const Interface& one : interfaces) {
      if (!has_peer(one) || one.link_ifindex == 0 || one.link_netns_inum == 0)
        continue;
      add_host_end({one.link_netns_inum, one.link_ifindex}, one.netns_inum);
      add_host_end({one.netns_inum, one.ifindex}, one.link_netns_inum);
    }
  }

  // A wire whose other end is in a namespace that nobody looks at may lead to a pod that is not known yet.
  void add_settled_links(std::span<const Interface> interfaces) {
    for (const Interface& one : interfaces)
      if (one.netns_inum == index_.host_netns_inum_ && (!has_peer(one) || one.link_netns_inum != 0))
        index_.settled_links_.insert(one.ifindex);
  }

  void add_awaited(std::span<const std::uint32_t> awaited, std::span<const Interface> interfaces) {
    for (const std::uint32_t inum : awaited) {
      if (!index_.by_inum_.contains(inum))
        index_.awaited_.insert(inum);
      if (std::ranges::find(interfaces, inum, &Interface::netns_inum) == interfaces.end())
        index_.awaits_links_ = true;
    }
  }

  void add_cgroups(std::span<const PodCgroup> cgroups) {
    std::unordered_map<std::string_view, const Pod*> by_container;
    std::unordered_map<std::string_view, const Pod*> by_uid;
    for (const Sandbox* sandbox : ranked_) {
      const Pod* pod = pod_of_sandbox_.at(sandbox);
      if (!pod->uid.empty())
        by_uid.try_emplace(pod->uid, pod);
      by_container.try_emplace(sandbox->id, pod);
      for (const std::string& id : sandbox->container_ids)
        by_container.try_emplace(id, pod);
    }
    const auto owner = [&](const PodCgroup& cgroup) -> const Pod* {
      if (const auto found = by_container.find(cgroup.container_id); found != by_container.end())
        return found->second;
      const auto found = by_uid.find(cgroup.pod_uid);
      return found == by_uid.end() ? nullptr : found->second;
    };
    for (const PodCgroup& cgroup : cgroups)
      if (const Pod* pod = owner(cgroup); pod && cgroup.cgroup_id != 0)
        index_.by_cgroup_.try_emplace(cgroup.cgroup_id, pod);
  }

  std::shared_ptr<const PodIndex> take() { return std::make_shared<const PodIndex>(std::move(index_)); }

private:
  void add_netns(const Sandbox& sandbox) {
    const Pod* pod = pod_of_sandbox_.at(&sandbox);
    const auto [entry, added] =
        index_.by_inum_.try_emplace(sandbox.netns_inum, PodIndex::Netns{.pod = pod, .cookie = sandbox.netns_cookie});
    PodIndex::Netns& netns = entry->second;
    if (!added && netns.cookie != 0 && sandbox.netns_cookie != 0 && netns.cookie != sandbox.netns_cookie)
      return;  // the inode was used again: the better claim has it, and the other namespace no longer exists
    if (netns.cookie == 0)
      netns.cookie = sandbox.netns_cookie;
    if (netns.cookie != 0)
      index_.inum_by_cookie_.try_emplace(netns.cookie, sandbox.netns_inum);
    if (netns.pod == pod)
      return;
    if (netns.shared_by.empty())
      netns.shared_by.push_back(netns.pod);
    if (std::ranges::find(netns.shared_by, pod) == netns.shared_by.end())
      netns.shared_by.push_back(pod);
  }

  // The node's end of a wire into a pod. Both ends in pods: each is inside its own.
  void add_host_end(PodIndex::Link host_end, std::uint32_t pod_netns_inum) {
    const auto netns = index_.by_inum_.find(pod_netns_inum);
    if (netns != index_.by_inum_.end() && !index_.by_inum_.contains(host_end.netns_inum))
      index_.host_ends_.try_emplace(host_end, netns->second.pod);
  }

  PodIndex index_;
  std::vector<const Sandbox*> ranked_;  // the best claim first
  std::unordered_map<const Sandbox*, const Pod*> pod_of_sandbox_;
};

std::size_t PodIndex::AddressHash::operator()(const IpAddress& address) const {
  std::array<std::uint64_t, 2> halves{};
  std::memcpy(halves.data(), address.bytes, sizeof(address.bytes));
  return std::hash<std::uint64_t>{}((halves[0] + address.version) * 0x9e3779b97f4a7c15U ^ halves[1]);
}

const PodIndex::Netns* PodIndex::netns_of(const PacketPlace& place) const {
  std::uint32_t inum = place.netns_inum;
  if (const auto known = inum_by_cookie_.find(place.netns_cookie);
      place.netns_cookie != 0 && known != inum_by_cookie_.end())
    inum = known->second;
  const auto found = by_inum_.find(inum);
  if (found == by_inum_.end())
    return nullptr;
  // Another cookie than the pod's: its namespace is gone, and the number belongs to a younger one.
  const std::uint64_t cookie = found->second.cookie;
  if (cookie != 0 && place.netns_cookie != 0 && cookie != place.netns_cookie)
    return nullptr;
  return &found->second;
}

const Pod* PodIndex::pod_of_cgroup(std::uint64_t cgroup_id) const {
  const auto found = by_cgroup_.find(cgroup_id);
  return found == by_cgroup_.end() ? nullptr : found->second;
}

PodFound PodIndex::find(const PacketPlace& place) const {
  if (const auto end = host_ends_.find({place.netns_inum, place.ifindex}); end != host_ends_.end())
    return {PodAnswer::Pod, {end->second, PodSide::Host}};
  const Pod* by_cgroup = place.cgroup_id == 0 ? nullptr : pod_of_cgroup(place.cgroup_id);
  if (const Netns* netns = netns_of(place)) {
    const bool is_sharer = by_cgroup && std::ranges::find(netns->shared_by, by_cgroup) != netns->shared_by.end();
    return {PodAnswer::Pod, {is_sharer ? by_cgroup : netns->pod, PodSide::Inside}};
  }
  if (by_cgroup)
    return {PodAnswer::Pod, {by_cgroup, PodSide::Inside}};
  const bool host = place.netns_inum != 0 && place.netns_inum == host_netns_inum_;
  return {host ? PodAnswer::Host : PodAnswer::Unknown, {}};
}

bool PodIndex::is_settled(const PacketPlace& place) const {
  return place.ifindex == 0 || place.netns_inum != host_netns_inum_ || settled_links_.empty() ||
         settled_links_.contains(place.ifindex);
}

bool PodIndex::is_awaited(const PacketPlace& place) const {
  return awaited_.contains(place.netns_inum) || (awaits_links_ && !is_settled(place));
}

const Pod* PodIndex::by_address(const IpAddress& address) const {
  const auto found = by_address_.find(without_padding(address));
  return found == by_address_.end() ? nullptr : found->second.pod;
}

std::vector<PodAddress> PodIndex::addresses() const {
  std::vector<PodAddress> all;
  for (const auto& [address, holder] : by_address_)
    if (holder.pod && holder.netns_inum != 0)
      all.push_back({.address = address, .netns_inum = holder.netns_inum});
  return all;
}

std::set<ScopePlace> PodIndex::places_of(const std::function<bool(const Pod&)>& wanted) const {
  std::set<ScopePlace> places;
  for (const auto& [inum, netns] : by_inum_)
    if (wanted(*netns.pod) || std::ranges::any_of(netns.shared_by, [&](const Pod* pod) { return wanted(*pod); }))
      places.insert({.kind = ScopeKind::Netns, .id = inum});
  for (const auto& [link, pod] : host_ends_)
    if (wanted(*pod))
      places.insert({.kind = ScopeKind::Interface, .id = link.netns_inum, .ifindex = link.ifindex});
  for (const auto& [id, pod] : by_cgroup_)
    if (pod->host_network && wanted(*pod))
      places.insert({.kind = ScopeKind::Cgroup, .id = id});
  return places;
}

std::shared_ptr<const PodIndex> build_pod_index(std::uint32_t host_netns_inum, std::span<const Sandbox> sandboxes,
                                                std::span<const Interface> interfaces,
                                                std::span<const PodCgroup> cgroups,
                                                std::span<const std::uint32_t> awaited) {
  PodIndexBuilder builder{host_netns_inum, sandboxes};
  builder.add_pods();
  builder.add_namespaces();
  builder.add_addresses();
  builder.add_host_ends(interfaces);
  builder.add_settled_links(interfaces);
  builder.add_awaited(awaited, interfaces);
  builder.add_cgroups(cgroups);
  return builder.take();
}

}  // namespace skbtrail
