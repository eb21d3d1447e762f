#include "monitor/link_ledger.h"

#include "monitor/counter_growth.h"
#include "monitor/pod_series.h"

namespace skbtrail {
namespace {

CounterFamily::Description losses() {
  return {
      .name = "skbtrail_interface_losses_total",
      .help = "Packets that an interface of the node lost, as its driver counts them; counter has the kernel's name.",
      .labels = {"interface", "counter"},
      .overflowing = {0},
      .deletable = {0}};
}

CounterFamily::Description packets() {
  return {.name = "skbtrail_path_packets_total",
          .help = "Packets that a pod received (ingress) and sent (egress) through its interface on the node.",
          .labels = {"namespace", "pod", "direction"},
          .overflowing = {0, 1},
          .deletable = {1}};
}

CounterFamily::Description path_bytes() {
  return {.name = "skbtrail_path_bytes_total",
          .help = "Bytes of the packets in skbtrail_path_packets_total.",
          .labels = {"namespace", "pod", "direction"},
          .overflowing = {0, 1},
          .deletable = {1}};
}

}  // namespace

LinkLedger::LinkLedger(std::uint32_t host_netns_inum, SeriesBudget& budget)
    : host_netns_inum_(host_netns_inum),
      losses_(losses(), budget),
      packets_(packets(), budget),
      bytes_(path_bytes(), budget) {}

void LinkLedger::take(std::span<const LinkStatistics> links, const PodView& pods) {
  std::unordered_map<std::uint32_t, LinkStatistics> now;
  current_.clear();
  for (const auto& link : links) {
    const auto before = last_.find(link.ifindex);
    add_growth(link, before == last_.end() ? LinkStatistics{} : before->second, pods);
    current_.insert(link.name);
    now.emplace(link.ifindex, link);
  }
  ever_.insert(current_.begin(), current_.end());
  last_ = std::move(now);
}

void LinkLedger::add_growth(const LinkStatistics& link, const LinkStatistics& before, const PodView& pods) {
  for (std::size_t i = 0; i < link.losses.size(); ++i)
    losses_.add({link.name, link.losses[i].name},
                counter_growth(link.losses[i].value, i < before.losses.size() ? before.losses[i].value : 0));
  const PodFound found =
      pods.find({.netns_inum = host_netns_inum_, .netns_cookie = 0, .ifindex = link.ifindex, .cgroup_id = 0});
  if (found.answer != PodAnswer::Pod || found.at.side != PodSide::Host)
    return;
  // What the node's end of the link sends is what the pod receives.
  const Pod& pod = *found.at.pod;
  packets_.add({pod.namespace_name, pod.name, "ingress"}, counter_growth(link.tx_packets, before.tx_packets));
  packets_.add({pod.namespace_name, pod.name, "egress"}, counter_growth(link.rx_packets, before.rx_packets));
  bytes_.add({pod.namespace_name, pod.name, "ingress"}, counter_growth(link.tx_bytes, before.tx_bytes));
  bytes_.add({pod.namespace_name, pod.name, "egress"}, counter_growth(link.rx_bytes, before.rx_bytes));
}

void LinkLedger::name(SeriesNames& names) const {
  for (const auto* family : {&packets_, &bytes_})
    name_pods(*family, names);
  losses_.for_each([&](const LabelValues& labels, std::uint64_t) { names.interfaces.insert(labels[0]); });
}

void LinkLedger::forget(const SeriesNames& gone, const SeriesNames& named) {
  for (auto* family : {&packets_, &bytes_})
    forget_pods(*family, gone);
  losses_.fold([&](const LabelValues& labels) { return gone.interfaces.contains(labels[0]); });
  // A name without a series need not be remembered: nodes see thousands of interfaces come and go.
  std::erase_if(ever_, [&](const std::string& name) {
    return !current_.contains(name) && (!named.interfaces.contains(name) || gone.interfaces.contains(name));
  });
}

}  // namespace skbtrail
