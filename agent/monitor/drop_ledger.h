#pragma once
// DropLedger: turns what the kernel counted by key into counters by label that only ever grow. Pure: every name comes
// from a seam. Used by one thread at a time.

#include <linux/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernel/monitor_object.h"
#include "model/pod_drop.h"
#include "monitor/counter_family.h"
#include "monitor/drop_names.h"
#include "monitor/series_names.h"
#include "monitor_abi.h"
#include "pods/pod_index.h"

namespace skbtrail {

struct LookupCounts {
  std::uint64_t hit = 0;   // a pod
  std::uint64_t miss = 0;  // a namespace that nothing is known of
  std::uint64_t host = 0;  // the node itself
};

// Whose a drop is, and how that is known.
struct DropOwner {
  enum class By : std::uint8_t {
    Place,    // the namespace or the interface where the packet was
    Address,  // an address in the packet, in the node's own namespace
  };
  PodAt at = {};
  By by = By::Place;
};

class DropLedger final {
public:
  // `budget` must outlive the ledger. `listener` hears of each drop that is a pod's; null: nobody does.
  explicit DropLedger(SeriesBudget& budget, PodDropListener listener = nullptr);

  // Takes what was dropped since the last call.
  void take(std::span<const DropRow> growth, const DropNames& names);
  // Likewise, what the kernel could count by reason only.
  void take_overflow(const std::map<std::uint32_t, monitor_count>& by_reason, const DropNames& names);

  // Adds the pods and interfaces that have series.
  void name(SeriesNames& names) const;
  // Folds the series of what is gone, so that sums stay what they are.
  void forget(const SeriesNames& gone);

  const LookupCounts& lookups() const { return lookups_; }
  // Of the families whose series know their last packet.
  Exemplars exemplars() const { return {{drops_.name(), drops_.exemplars()}, {node_.name(), node_.exemplars()}}; }
  std::vector<const CounterFamily*> families() const { return {&drops_, &bytes_, &node_, &ends_}; }

private:
  DropOwner owner_of(const monitor_drop_key& key, const DropNames& names);
  void add(const monitor_drop_key& key, const monitor_count& growth, const DropNames& names);
  void add_drop(const monitor_drop_key& key, const DropReasonName& reason, const monitor_count& growth,
                const DropNames& names);

  PodDropListener listener_;
  CounterFamily drops_;
  CounterFamily bytes_;
  CounterFamily node_;
  CounterFamily ends_;
  LookupCounts lookups_;
};

}  // namespace skbtrail
