#pragma once
// TrapLedger: what devices dropped before the kernel had a packet, as counters that only ever grow. Used by one thread
// at a time.

#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "kernel/devlink_traps.h"
#include "monitor/counter_family.h"

namespace skbtrail {

class TrapLedger final {
public:
  // `budget` must outlive the ledger.
  explicit TrapLedger(SeriesBudget& budget);

  // `traps` are all there are now; a device without any is gone.
  void take(std::span<const DevlinkTrap> traps);

  // The devices that have series.
  std::set<std::string> named() const;
  bool has(const std::string& device) const { return current_.contains(device); }
  // Folds the series of devices that are gone, so that sums stay what they are.
  void forget(const std::set<std::string>& gone);

  const CounterFamily& family() const { return drops_; }

private:
  CounterFamily drops_;
  std::map<std::pair<std::string, std::string>, DevlinkTrap> last_;  // by device and name
  std::set<std::string> current_;                                    // devices
};

}  // namespace skbtrail
