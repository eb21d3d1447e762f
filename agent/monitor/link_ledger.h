#pragma once
// LinkLedger: the kernel's statistics of this node's interfaces as counters that only ever grow: what an interface
// lost without a word, and what each pod sent and received. Used by one thread at a time.

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/link_statistics.h"
#include "monitor/counter_family.h"
#include "monitor/pod_view.h"
#include "monitor/series_names.h"

namespace skbtrail {

class LinkLedger final {
public:
  // `host_netns_inum`: the namespace whose interfaces these are. `budget` must outlive the ledger.
  LinkLedger(std::uint32_t host_netns_inum, SeriesBudget& budget);

  // `links` are all interfaces there are now; what is missing since the last time is gone.
  void take(std::span<const LinkStatistics> links, const PodView& pods);

  // Whether it was an interface of this node and no longer is. Names from other namespaces are not known here.
  bool has_lost(const std::string& interface) const {
    return ever_.contains(interface) && !current_.contains(interface);
  }

  // Adds the pods and interfaces that have series.
  void name(SeriesNames& names) const;
  // Folds the series of what is gone; `named` is all that any series still names.
  void forget(const SeriesNames& gone, const SeriesNames& named);

  std::vector<const CounterFamily*> families() const { return {&losses_, &packets_, &bytes_}; }

private:
  void add_growth(const LinkStatistics& link, const LinkStatistics& before, const PodView& pods);

  std::uint32_t host_netns_inum_;
  CounterFamily losses_;
  CounterFamily packets_;
  CounterFamily bytes_;
  std::unordered_map<std::uint32_t, LinkStatistics> last_;  // by ifindex
  std::set<std::string> current_;
  std::set<std::string> ever_;
};

}  // namespace skbtrail
