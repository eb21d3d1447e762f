#include "monitor/drop_ledger.h"

#include <utility>

#include "monitor/drop_words.h"
#include "monitor/pod_series.h"

namespace skbtrail {
namespace {

CounterFamily::Description drops() {
  return {.name = "skbtrail_drops_total",
          .help =
              "Packets that the kernel dropped, by the pod that lost them; namespace and pod are empty for the node "
              "itself.",
          .labels = {"namespace", "pod", "reason", "subsystem", "protocol", "direction"},
          .overflowing = {0, 1},
          .deletable = {1}};
}

CounterFamily::Description bytes() {
  return {.name = "skbtrail_drop_bytes_total",
          .help = "Bytes of the packets in skbtrail_drops_total.",
          .labels = {"namespace", "pod", "reason"},
          .overflowing = {0, 1},
          .deletable = {1}};
}

CounterFamily::Description node() {
  return {.name = "skbtrail_node_drops_total",
          .help =
              "Packets that the kernel dropped, by the kernel function that dropped them and the interface where "
              "they were.",
          .labels = {"reason", "subsystem", "location", "interface"},
          .overflowing = {2, 3},
          .deletable = {3}};
}

CounterFamily::Description ends() {
  return {.name = "skbtrail_normal_ends_total",
          .help =
              "Packets that the kernel reports as dropped and that were not lost: used up, closed with their socket, "
              "or no network packets at all.",
          .labels = {"reason", "subsystem", "location"},
          .overflowing = {2},
          .deletable = {}};
}

PodFound find_owner(const monitor_drop_key& key, const DropNames& names) {
  return names.pod(
      {.netns_inum = key.netns_inum, .netns_cookie = key.netns_cookie, .ifindex = key.ifindex, .cgroup_id = 0});
}

PodFound find_by_address(const monitor_drop_key& key, const DropNames& names) {
  if (key.pod_end == MONITOR_NO_POD_END)
    return {};
  return names.pod({.netns_inum = key.pod_netns_inum, .netns_cookie = 0, .ifindex = 0, .cgroup_id = 0});
}

// As the pod sees it. Which interface of the node the packet was at says nothing about that, an end of its link or an
// address does.
std::string direction_of(const monitor_drop_key& key, const DropOwner& owner) {
  if (owner.by == DropOwner::By::Address)
    return key.pod_end == MONITOR_POD_SENT ? "egress" : "ingress";
  return std::string(direction_word(key.direction, owner.at.pod && owner.at.side == PodSide::Host));
}

}  // namespace

DropLedger::DropLedger(SeriesBudget& budget, PodDropListener listener)
    : listener_(std::move(listener)),
      drops_(drops(), budget),
      bytes_(bytes(), budget),
      node_(node(), budget),
      ends_(ends(), budget) {}

void DropLedger::take(std::span<const DropRow> growth, const DropNames& names) {
  for (const DropRow& row : growth)
    add(row.key, row.count, names);
}

void DropLedger::take_overflow(const std::map<std::uint32_t, monitor_count>& by_reason, const DropNames& names) {
  const std::string folded{kOverflowLabel};
  for (const auto& [raw, growth] : by_reason) {
    const auto [reason, subsystem] = names.reason(raw);
    drops_.add({folded, folded, reason, subsystem, folded, folded}, growth.packets);
    bytes_.add({folded, folded, reason}, growth.bytes);
    node_.add({reason, subsystem, folded, folded}, growth.packets);
  }
}

void DropLedger::name(SeriesNames& names) const {
  for (const auto* family : {&drops_, &bytes_})
    name_pods(*family, names);
  node_.for_each([&](const LabelValues& labels, std::uint64_t) { names.interfaces.insert(labels[3]); });
}

void DropLedger::forget(const SeriesNames& gone) {
  for (auto* family : {&drops_, &bytes_})
    forget_pods(*family, gone);
  node_.fold([&](const LabelValues& labels) { return gone.interfaces.contains(labels[3]); });
}

DropOwner DropLedger::owner_of(const monitor_drop_key& key, const DropNames& names) {
  const PodFound found = find_owner(key, names);
  switch (found.answer) {
    case PodAnswer::Pod: ++lookups_.hit; return {.at = found.at, .by = DropOwner::By::Place};
    case PodAnswer::Host: break;
    case PodAnswer::Unknown: ++lookups_.miss; return {};
  }
  const PodFound by_address = find_by_address(key, names);
  if (by_address.answer != PodAnswer::Pod) {
    ++lookups_.host;
    return {};
  }
  ++lookups_.hit;
  return {.at = {.pod = by_address.at.pod, .side = PodSide::Host}, .by = DropOwner::By::Address};
}

void DropLedger::add(const monitor_drop_key& key, const monitor_count& growth, const DropNames& names) {
  const DropReasonName reason = names.reason(key.reason);
  const std::string location = names.locations->resolve(key.location).name;
  if (is_normal_end(reason, location, key.direction))
    ends_.add({reason.name, reason.subsystem, location}, growth.packets);
  else
    add_drop(key, reason, growth, names);
}

void DropLedger::add_drop(const monitor_drop_key& key, const DropReasonName& reason, const monitor_count& growth,
                          const DropNames& names) {
  const DropOwner owner = owner_of(key, names);
  const Pod* pod = owner.at.pod;
  const std::string namespace_name = pod ? pod->namespace_name : "";
  const std::string name = pod ? pod->name : "";
  const std::string location = names.locations->resolve(key.location).name;
  auto packet = names.last_packet ? names.last_packet(key) : std::nullopt;
  node_.add({reason.name, reason.subsystem, location, names.interface(key.netns_inum, key.ifindex)}, growth.packets,
            packet);
  if (packet)
    packet->location = location;
  drops_.add({namespace_name, name, reason.name, reason.subsystem,
              std::string(protocol_word(key.l3_protocol, key.l4_protocol)), direction_of(key, owner)},
             growth.packets, packet);
  bytes_.add({namespace_name, name, reason.name}, growth.bytes);
  if (pod && listener_)
    listener_({.pod = *pod,
               .reason = reason.name,
               .subsystem = reason.subsystem,
               .location = location,
               .packets = growth.packets});
}

}  // namespace skbtrail
