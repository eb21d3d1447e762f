#pragma once
// TrapLedger: what devices dropped before the kernel had a packet, as counters that only ever grow. Used by one thread
// at a time.

#include <cstddef>
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

  // Whether traps of the reading before are not among `traps`: their device is gone, or they could not be read.
  bool misses(std::span<const DevlinkTrap> traps) const;
  // `traps` are all that could be read. What is missing of a device in `present` goes on from where it was when it can
  // be read again, and other devices that have none are gone. Hands back how many traps could not be read.
  std::size_t take(std::span<const DevlinkTrap> traps, const std::set<std::string>& present);

  // The devices that have series.
  std::set<std::string> named() const;
  bool has(const std::string& device) const { return current_.contains(device); }
  // Folds the series of devices that are gone, so that sums stay what they are.
  void forget(const std::set<std::string>& gone);

  const CounterFamily& family() const { return drops_; }

private:
  using Readings = std::map<std::pair<std::string, std::string>, DevlinkTrap>;  // by device and name

  CounterFamily drops_;
  Readings last_;
  std::set<std::string> current_;  // devices
};

}  // namespace skbtrail
